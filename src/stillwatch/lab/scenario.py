"""Scenario files: every parameter of a planted campaign, declared, with the split's own ranges laid over it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from stillwatch.model import UsageError

SCENARIOS = Path(__file__).parent / "scenarios"
# What is planted when nothing is asked for: the population on which the detector's constants were fitted.
DEFAULT = (
    *("a_reasoning", "b_agentic", "c_coding", "d_pool", "e_ring"),
    *("f_burst", "g_failover", "h_relay", "i_replay"),
)
Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the accounts claim to be, and what they share by it."""

    accounts_per_card: float = 1.0  # 1: own cards; 0: none
    accounts_per_phone: float = 1.0
    signup: str = "burst"  # burst, waves, aged
    mail: str = "free"  # free, disposable, mixed, company
    plans: dict[str, float] = field(default_factory=lambda: {"1": 1.0})
    verification: dict[str, float] = field(default_factory=lambda: {"2": 1.0, "3": 1.0})
    programs: float = 0.0  # share of accounts in an education, research or startup programme
    companies: float = 0.0  # share of accounts that declare an organisation of their own
    sharing: float = 1.0  # share of accounts that share what is declared here; the others share nothing and sit at home


@dataclass(frozen=True, slots=True)
class Access:
    """By which networks, clients and channels they come."""

    network: str = "residential"  # residential, rotating, cloud, proxy, mixed
    accounts_per_address: float = 1.0  # cloud and proxy: how many accounts meet at one exit
    stack: str = "common"  # common, uniform (one popular client), rare (one own build), python
    channels: dict[str, float] = field(default_factory=lambda: {"0": 1.0})
    countries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """What is asked, and in which shape."""

    templates: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    wording: str = "campaign"  # campaign: one wording; account: each account paraphrases
    repeats: float = 0.01  # exchanges that ask an item again
    turns: float = 1.0  # tool-use traces continue over turns
    output: float = 900.0  # median tokens of an answer
    limit: int = 8192  # of tokens, one for all; 0 leaves each account its own client settings
    model: int = 2
    pivot: float = 0.0  # share moved to the new model within a day of its release
    relay: bool = False  # real end users' conversations inside an injected frame
    copies_customer: float = 0.0  # share that wears the framed customer's template
    replay: bool = False  # handles minted for one account are submitted by another


@dataclass(frozen=True, slots=True)
class Schedule:
    """When, and how the load is spread over the accounts."""

    kind: str = "even"  # synchronised, partly (synchronised), even, office, independent, burst
    together: float = 0.0  # partly: share of the exchanges that jobs deal out; the rest follows each account's own day
    evenness: float = 30.0  # large: every account sends as much as another
    first: float = 0.0  # part of the span at which it starts
    last: float = 1.0
    jobs: int = 40
    ban: float = 0.0  # part of the span at which the first half is suspended and a second half takes over
    cover: float = 0.0  # harmless exchanges of the accounts, as a share of the harvest


@dataclass(frozen=True, slots=True)
class Probe:
    """The search before the harvest: many techniques tried by few accounts, most of them refused."""

    exchanges: float = 0.0  # as a share of the harvest; 0: no search
    accounts: float = 0.1  # share of the accounts that search
    first: float = 0.0  # part of the span
    last: float = 0.3
    refused: float = 0.5  # share answered by a short refusal
    blocked: float = 0.1  # share stopped with an error status
    output: float = 260.0  # median tokens of an answer that was given


@dataclass(frozen=True, slots=True)
class Scenario:
    """One planted campaign, or one pool with several owners."""

    name: str
    letter: str
    accounts: int  # at the default size of 300,000 exchanges
    exchanges: int = 0  # harvest only
    rate: float = 0.0  # harvest of an account in a day; where given, `exchanges` follows from it
    pool: str = ""
    mixed: tuple[float, float] = (1.0, 1.0)  # harvest's share of an account's traffic; the rest is resold
    identity: Identity = Identity()
    access: Access = Access()
    work: Work = Work()
    schedule: Schedule = Schedule()
    probe: Probe = Probe()
    owners: tuple[Work, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the campaigns in it: one for each workload owner."""
        if not self.owners:
            return (f"{self.letter}-{self.name}",)
        return tuple(f"{self.letter}{number}-{self.name}" for number in range(1, len(self.owners) + 1))


def scenario_names() -> list[str]:
    """The scenarios that ship."""
    return sorted(path.stem for path in SCENARIOS.glob("*.toml"))


def load_scenario(name: str, split: str, over: dict[str, Any] | None = None) -> Scenario:
    """One scenario with the parameters of one split; `over` lays a preset's parameters below those of the split."""
    path = SCENARIOS / f"{name}.toml"
    if not path.exists():
        raise UsageError(f"no scenario {name!r}; there are {', '.join(scenario_names())}")
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    own = {key: table.pop(key, {}) for key in ("tuning", "report")}[split]
    table = _laid_over(table, over or {})
    parts = {"identity": Identity, "access": Access, "work": Work, "schedule": Schedule, "probe": Probe}
    merged = {key: {**table.get(key, {}), **own.get(key, {})} for key in parts}
    owners = own.get("owners", table.get("owners", []))
    plain = {key: value for key, value in {**table, **own}.items() if key not in {*parts, "owners"}}
    scenario = _fill(Scenario, plain, path)
    return replace(
        scenario,
        owners=tuple(_fill(Work, {**merged["work"], **owner}, path) for owner in owners),
        **{key: _fill(kind, merged[key], path) for key, kind in parts.items()},
    )


def _laid_over(table: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    laid = dict(table)
    for key, value in over.items():
        laid[key] = {**table.get(key, {}), **value} if isinstance(value, dict) else value
    return laid


def _fill(kind: type[Record], table: dict[str, Any], path: Path) -> Record:
    known = {item.name for item in fields(kind)}  # type: ignore[arg-type]
    for key in table:
        if key not in known:
            raise UsageError(
                f"{path.name}: {kind.__name__.lower()} has no parameter {key!r}; it has {', '.join(sorted(known))}"
            )
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in table.items()})
