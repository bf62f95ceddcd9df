"""Tables of an audit for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from stillwatch.apps.integrity.auditing import Audit, Plan


def print_plan(plan: Plan, console: Console) -> None:
    """Print the budget, and the chance to see each alternative with it."""
    console.print(
        f"budget: at most {plan.most_calls} calls ({plan.calls} prompts, {plan.border_calls} border inputs, "
        f"{plan.logprob_calls} log-probabilities); false alarms: at most {2 * plan.level:g}"
    )
    table = Table("if the endpoint serves", "is seen with chance", "half are sure after", box=None, pad_edge=False)
    for power in plan.power:
        calls = "–" if power.median_calls is None else f"{power.median_calls} calls"
        table.add_row(power.alternative, f"{power.chance:.2f}", calls)
    console.print(table)


def print_audit(found: Audit, console: Console) -> None:
    """Print the verdict, and each test with its exact p-value."""
    verdict = "it differs from the reference" if found.differs else "no difference was found"
    console.print(f"{verdict}, after {found.answered} answers to {found.asked} questions")
    console.print(f"E = 10^{found.log10_e:.1f}; p = {found.anytime_p:.3g}, valid whenever the audit ends")
    if found.stopped_early:
        console.print("it was sure before the budget was used, so the tests that need all of it were left out: --whole")
        return
    table = Table("test", "statistic", "calls", "p, exact", "p, of so many tests", box=None, pad_edge=False)
    for test, p in zip(found.tests, found.adjusted, strict=True):
        table.add_row(test.test, f"{test.statistic:.4g}", str(test.calls), f"{test.p:.4g}", f"{p:.4g}")
    console.print(table)
