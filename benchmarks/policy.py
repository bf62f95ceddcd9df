"""What a decision costs: `python benchmarks/policy.py`. Process CPU, so that a busy neighbour changes little."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

from stillwatch.actions.attributes import Attributes
from stillwatch.actions.budgets import LocalBudgets
from stillwatch.actions.decision import Budget
from stillwatch.actions.engine import PolicyEngine
from stillwatch.actions.policy_file import examine, read_policy

NOON = 1_700_000_000.0
ROUNDS = 7
TOP = "version: 1\nmode: enforce\nappeal: https://provider.example/appeal\nrules:\n"
LIMITS = """\
version: 1
limits:
  verification: {none: {requests: 1_000_000 per second, tokens: 1_000_000 per second}}
rules: []
"""
NOBODY = Attributes(account="a-1", model="opal-4", endpoint="messages")
MEMBER = Attributes(account="a-2", campaign="c-1", member=True, verdict="distillation", p=0.97, match_families=3)


def twenty() -> str:
    """Rules of mixed conditions over 15 attributes, none of which matches an account that nothing is known of."""
    asked = (
        'verdict == "suspect" && p > 0.{n}5 && match_families >= 2',
        'model.startsWith("onyx-{n}") && capability in ["coding", "agentic"] && member',
        'channel == "bedrock" && plan == "free" && exchanges_hour > {n}000',
        'verification in ["email", "phone"] && account_age_days >= 0.0 && account_age_days < {n}.0 && match_content',
        'programme == "research" && output_tokens_day > {n}00000 && !declared_use && !licensed',
    )
    rules = (f"  - {{name: r-{n}, when: '{asked[n % 5].format(n=n)}', do: observe, reason: x}}" for n in range(20))
    return TOP + "\n".join(rules) + "\n"


def engine(text: str) -> PolicyEngine:
    policy, problems = examine(text)
    assert policy is not None, problems
    return PolicyEngine(policy)


def cost(call: Callable[[], object], times: int) -> tuple[float, float]:
    """Median and highest over the rounds, in microseconds of process CPU."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(times):
            call()
        rounds.append((time.process_time() - start) / times * 1e6)
    return statistics.median(rounds), max(rounds)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--times", type=int, default=5000, help="decisions in each of the rounds")
    times = options.parse_args().times
    budgets = LocalBudgets()
    shipped, many, limited = PolicyEngine(read_policy("enforcing")), engine(twenty()), engine(LIMITS)
    budget = Budget("requests|bench", 1_000_000, 1.0)
    rows: list[tuple[str, Callable[[], object]]] = [
        ("shipped policy, nothing known of the account", lambda: shipped.decide(NOBODY, budgets, NOON)),
        ("shipped policy, a tied member", lambda: shipped.decide(MEMBER, budgets, NOON)),
        ("20 rules over 15 attributes, none matches", lambda: many.decide(NOBODY, budgets, NOON)),
        ("no rule, two budgets", lambda: limited.decide(NOBODY, budgets, time.time())),
        ("one budget alone", lambda: budgets.take([budget], [], time.time())),
    ]
    print(f"{'µs of CPU a decision':<48}{'median':>8}{'highest':>9}   of {ROUNDS} rounds of {times:,}")
    for name, call in rows:
        median, highest = cost(call, times)
        print(f"{name:<48}{median:>8.1f}{highest:>9.1f}")


if __name__ == "__main__":
    main()
