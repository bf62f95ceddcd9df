"""What hiding costs an operator: dollars for each thousand exchanges harvested, and how much longer the harvest takes.

Costs come on top of what an operator without the evasion pays. They are arithmetic over the declared assumptions of
`costs.toml`; none is measured, and a term that saves money is negative.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from stillwatch.lab.evasions.catalogue import strengths
from stillwatch.lab.evasions.dilution import MOST, WARM_UP
from stillwatch.lab.evasions.identity import TIMES_SLOW
from stillwatch.lab.evasions.wording import COPIES
from stillwatch.lab.scenario import Scenario

ASSUMPTIONS = Path(__file__).parent / "costs.toml"
NOMINAL_DAYS = 14  # over which a scenario that gives a rate is priced


@dataclass(frozen=True, slots=True)
class Assumption:
    """One declared figure."""

    name: str
    value: float
    unit: str
    source: str


@dataclass(frozen=True, slots=True)
class Term:
    """One part of a cost, and the assumptions behind it."""

    name: str
    dollars_per_1000: float
    assumptions: tuple[Assumption, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """What an evasion adds for each 1,000 exchanges harvested, and the factor by which the harvest takes longer."""

    dollars_per_1000: float
    slowdown: float
    terms: tuple[Term, ...]
    assumptions: tuple[Assumption, ...]


@cache
def assumptions() -> dict[str, Assumption]:
    """Every assumption by name."""
    table = tomllib.loads(ASSUMPTIONS.read_text(encoding="utf-8"))
    return {name: Assumption(name, **entry) for name, entry in table.items()}


@dataclass(frozen=True, slots=True)
class _Case:
    """One evasion at one strength in one scenario; what a price is asked of."""

    strength: float
    accounts: float  # for each 1,000 exchanges
    output: float  # median tokens of an answer

    def paid(self, share: float = 1.0) -> float:
        """Dollars for tokens of 1,000 exchanges, or of a multiple of that."""
        sent = _value("prompt_tokens") * _value("tokens_in")
        return share * 1e-3 * (sent + self.output * _value("tokens_out"))

    def talk(self, exchanges: float) -> float:
        """Dollars for as many exchanges of harmless talk."""
        return exchanges * 1e-6 * (60 * _value("tokens_in") + _value("cover_tokens") * _value("tokens_out"))


def _value(name: str) -> float:
    return assumptions()[name].value


def _residential(c: _Case) -> float:
    traffic = 1_000 * 4 * (c.output + _value("prompt_tokens")) / 1e9 * _value("home_traffic")  # 4 bytes a token
    return c.strength * (c.accounts * _value("home_address") * _value("months") + traffic)


def _paraphrase(c: _Case) -> float:
    tokens = 2 * _value("prompt_tokens") * (1_000 * max(0.0, 2 * c.strength - 1) + c.accounts * min(1, 2 * c.strength))
    return tokens * 1e-6 * _value("rewriter")


def _mixing(c: _Case) -> float:
    share = MOST * c.strength
    return c.talk(1_000 * share / (1 - share))


def _ageing(c: _Case) -> float:
    dearer = _value("aged_account") - _value("account")
    return c.strength * (c.accounts * dearer + c.talk(1_000 * WARM_UP))


def _stolen(c: _Case) -> float:
    return c.strength * (1_000 / _value("hijacked_lives") * _value("hijacked_account") - c.paid())


def _again(c: _Case) -> float:
    """An item asked eight times is learnt once."""
    wasted = c.strength * (COPIES - 1) / COPIES
    return c.paid(wasted / (1 - wasted))


_PAID = ("prompt_tokens", "tokens_in", "tokens_out")
_TALK = ("tokens_in", "tokens_out", "cover_tokens")
_DOLLARS: dict[str, tuple[Callable[[_Case], float], tuple[str, ...]]] = {
    "residential": (_residential, ("home_address", "home_traffic", "prompt_tokens", "months")),
    "cards": (lambda c: c.strength * c.accounts * _value("virtual_card"), ("virtual_card",)),
    "jitter": (lambda _: 0.0, ("jitter_delay",)),
    "schedules": (lambda _: 0.0, ("idle_hours",)),
    "paraphrase": (_paraphrase, ("rewriter", "prompt_tokens")),
    "system-prompts": (
        lambda c: c.strength * 1e-3 * _value("system_tokens") * _value("tokens_in"),
        ("system_tokens", "tokens_in"),
    ),
    "partition": (lambda _: 0.0, ()),
    "redundancy": (_again, _PAID),
    "mixing": (_mixing, _TALK),
    "ageing": (_ageing, ("account", "aged_account", "ramp", *_TALK)),
    "stolen": (_stolen, ("hijacked_account", "hijacked_lives", *_PAID)),
    "resale": (lambda c: c.strength * _value("tenant_margin") * c.paid(), ("tenant_margin", *_PAID)),
    "sanitise": (
        lambda c: c.strength * _value("uniform_client") * _value("engineer") * 1_000 / _value("harvest"),
        ("uniform_client", "engineer", "harvest"),
    ),
    "slow": (lambda c: c.accounts * (TIMES_SLOW**c.strength - 1) * _value("account"), ("account",)),
}
_SLOWER: dict[str, Callable[[float], float]] = {
    "jitter": lambda s: 1 + _value("jitter_delay") * s,
    "schedules": lambda s: 1 / (1 - _value("idle_hours") * s),
    "redundancy": lambda s: 1 / (1 - s * (COPIES - 1) / COPIES),
    "mixing": lambda s: 1 / (1 - MOST * s),
    "ageing": lambda s: 1 + _value("ramp") * s,
}


def attacker_cost(name: str, strength: float, scenario: Scenario) -> Cost:
    """What one evasion, or a named combination, adds to the cost of a scenario's harvest."""
    exchanges = scenario.exchanges or scenario.accounts * scenario.rate * NOMINAL_DAYS
    terms, slowdown = [], 1.0
    for part, weight in strengths(((name, strength),)).items():
        dollars, used = _DOLLARS[part]
        case = _Case(weight, 1_000 * scenario.accounts / exchanges, scenario.work.output)
        terms.append(Term(part, dollars(case), tuple(assumptions()[each] for each in used)))
        slowdown *= _SLOWER[part](weight) if part in _SLOWER else 1.0
    named = {one.name: one for term in terms for one in term.assumptions}
    return Cost(sum(term.dollars_per_1000 for term in terms), slowdown, tuple(terms), tuple(named.values()))
