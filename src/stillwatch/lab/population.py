"""How large everything is: what a request, or the preset that it names, plants among how many innocents."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stillwatch.lab.scenario import DEFAULT, Scenario, load_scenario
from stillwatch.model import UsageError

PRESETS = Path(__file__).parent / "presets"
DEFAULT_EXCHANGES = 300_000  # the size for which scenario files give their numbers
FEWEST = 12  # accounts of a planted operation


@dataclass(frozen=True, slots=True)
class Request:
    """What to generate."""

    exchanges: int = DEFAULT_EXCHANGES
    accounts: int = 6_000
    seed: int = 7
    split: str = "tuning"
    days: int = 14
    scenarios: tuple[str, ...] = ()  # the nine of the demonstration when empty
    attack_share: float = 0.25  # of all exchanges, when every scenario is planted
    prompts: str = "own"  # own, real
    preset: str = ""  # where one is named it decides exchanges, accounts, days, scenarios and attack_share
    scale: float = 1.0  # of a preset: 0.1 is a tenth of its accounts and exchanges
    evasions: tuple[tuple[str, float], ...] = ()  # (name, strength) for everything that is planted


@dataclass(frozen=True, slots=True)
class Part:
    """One operation and its size."""

    scenario: Scenario
    accounts: int
    exchanges: int


@dataclass(frozen=True, slots=True)
class Population:
    """What is planted, among whom."""

    parts: tuple[Part, ...]
    days: int
    cast: int  # the look-alikes are sized as for a population of this many accounts
    accounts: int  # of the whole population, or of the innocents
    exchanges: int
    of_innocents: bool

    def innocents(self, accounts: int, exchanges: int) -> tuple[int, int]:
        """Innocent accounts and their exchanges, when so many were planted."""
        if self.of_innocents:
            return self.accounts, self.exchanges
        left = max(50, self.accounts - accounts)
        return left, max(left, self.exchanges - exchanges)


def preset_names() -> list[str]:
    """The presets that ship."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def population(request: Request) -> Population:
    """The sizes that a request asks for."""
    if request.preset:
        return _preset(request)
    if request.scale != 1.0:
        raise UsageError("scale is of a preset; name one, or give exchanges and accounts")
    crowd = request.accounts / 6_000 * request.attack_share / 0.25
    factor = request.exchanges / DEFAULT_EXCHANGES * request.attack_share / 0.25
    parts = []
    for name in request.scenarios or DEFAULT:
        scenario = load_scenario(name, request.split)
        accounts = max(FEWEST, round(scenario.accounts * crowd))
        parts.append(_sized(scenario, accounts, round(scenario.exchanges * factor), request.days))
    return Population(tuple(parts), request.days, request.accounts, request.accounts, request.exchanges, False)


def _preset(request: Request) -> Population:
    path = PRESETS / f"{request.preset}.toml"
    if not path.exists():
        raise UsageError(f"no preset {request.preset!r}; there are {', '.join(preset_names())}")
    if not 0 < request.scale <= 1:
        raise UsageError(f"scale {request.scale:g}: a scale lies above 0 and up to 1")
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    innocent, days = table["innocent"], int(table["days"])
    parts = tuple(_of_preset(entry, request, days) for entry in table["campaigns"])
    accounts, exchanges, cast = (max(50, round(innocent[k] * request.scale)) for k in ("accounts", "exchanges", "cast"))
    return Population(parts, days, cast, accounts, exchanges, True)


def _of_preset(entry: dict[str, Any], request: Request, days: int) -> Part:
    over = {key: value for key, value in entry.items() if key not in {"scenario", "accounts", "exchanges"}}
    scenario = load_scenario(entry["scenario"], request.split, over)
    accounts = max(FEWEST, round(entry.get("accounts", scenario.accounts) * request.scale))
    return _sized(scenario, accounts, round(entry.get("exchanges", scenario.exchanges) * request.scale), days)


def _sized(scenario: Scenario, accounts: int, exchanges: int, days: int) -> Part:
    if scenario.rate:
        active = days * (scenario.schedule.last - scenario.schedule.first)
        exchanges = round(accounts * scenario.rate * active)
    return Part(scenario, accounts, max(accounts, exchanges))
