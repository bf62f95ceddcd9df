"""Populations and groups from plain arguments, so that a signal's test is a few lines.

`group(range(30), trace=20)` is a group of thirty members; `among(group, ip={0: ["192.0.2.1"], …})` puts it into a
seeded population of innocent accounts (heavy-tailed volumes, varied addresses, signups over two years) and changes just
what is named, by account index. Members are innocent too until something is changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.ingest.columns import ACCOUNT_COLUMNS, EXCHANGE_COLUMNS
from stillwatch.signals.base import Finding
from stillwatch.sketch.groups import MEMBER_SUMS, SEVERAL, GroupSketch
from stillwatch.sketch.intent import CAPABILITIES
from stillwatch.sketch.population import (
    ACCOUNT_KINDS,
    ATOM_COLUMNS,
    DAY_US,
    EXCHANGE_KINDS,
    HOUR_US,
    NEVER,
    USAGE_COLUMNS,
    WORDS,
    Atoms,
    Edges,
    Population,
    Replays,
    Reported,
    _edges,
    _has,
)

START = 1_767_571_200_000_000  # Monday 2026-01-05 00:00 UTC
DAYS = 14
END = START + DAYS * DAY_US - 1
DAY = START // DAY_US  # the first day of the log, since 1970
MINUTE = START // 60_000_000  # its first minute
SIZE = 2_000
TEMPLATE = 101  # what a group fills unless told otherwise; nobody else does
SILENCE = 0.3  # bits that no verdict notices
FAINT = 0.6  # what a coincidence may add

MADE_ELSEWHERE = {"template_key", "fill_hash", "response"}
COLUMNS = frozenset(c.name for c in EXCHANGE_COLUMNS + ACCOUNT_COLUMNS) - MADE_ELSEWHERE
TIMES = ("created_at", "suspended_at")
KINDS = tuple(dict.fromkeys(EXCHANGE_KINDS + ACCOUNT_KINDS))
AWAKE = np.array([1, 1, 1, 1, 1, 2, 4, 8, 16, 20, 20, 18, 16, 18, 20, 20, 18, 14, 10, 8, 6, 4, 2, 1])


def group(
    accounts: Iterable[int],
    *,
    exchanges: int | Sequence[int] | None = None,
    asked: Sequence[Sequence[int]] | None = None,
    capability: Mapping[str, int] | None = None,
    clock: Sequence[int] | None = None,
    days: Mapping[tuple[str, int], int] | None = None,
    beats: Sequence[Sequence[int]] | None = None,
    settings: Mapping[str, int] | None = None,
    frames: Sequence[int] = (TEMPLATE,),
    common: int | None = None,
    number: int = 0,
    **sums: int | Sequence[int],
) -> GroupSketch:
    """Return a group. `asked` lists each member's questions, and gives the counts of exchanges and fills with it.

    `beats` lists each member's active minutes since the log began; `common` is what a member sends in frames that
    others fill too (unless told otherwise all of it); `sums` are MEMBER_SUMS, one value or one a member.
    Unless told otherwise volumes are heavy-tailed, every question is new, and shape and skills are everyone's.
    """
    members = np.array(sorted(accounts), np.int64)
    size = len(members)
    chance = np.random.default_rng(size)
    volume = np.maximum(chance.lognormal(3.0, 1.4, size), 1).astype(np.int64)
    if asked is None:
        own = np.broadcast_to(np.asarray(volume if exchanges is None else exchanges, np.int64), size)
        offsets = np.cumsum(own) - own
        asked = [range(offset, offset + count) for offset, count in zip(offsets.tolist(), own.tolist(), strict=True)]
    counts = np.array([len(questions) for questions in asked], np.int64)
    first = START + chance.integers(0, 10 * DAY_US, size)
    values: dict[str, Any] = {
        "exchanges": counts,
        "fills": [len(np.unique(np.asarray(questions))) for questions in asked],
        "first_ts": first,
        "last_ts": END - chance.integers(0, 3 * DAY_US, size),
        "single": counts // 3,
        "talk": counts // 3,
        "trace": 0,
        "rubric": 0,
        "input_tokens": counts * 600,
        "output_tokens": counts * 400,
        "saturated": 0,
        "active_hours": np.minimum(counts, 60),
    } | sums
    if unknown := set(values) - set(MEMBER_SUMS):
        raise TypeError(f"a group has no {sorted(unknown)}")
    total = int(counts.sum())
    if capability is None:
        capability = dict.fromkeys(CAPABILITIES, total // len(CAPABILITIES))
    if beats is None:
        beats = [_wake(chance, 12) for _ in range(size)]
    minutes = [np.unique(np.asarray(own, np.int64)) + MINUTE for own in beats]
    return GroupSketch(
        group=number,
        accounts=members,
        frames=np.array(sorted(frames), np.int64),
        common=np.full(size, common) if common is not None else counts * (size >= SEVERAL),
        sums={name: np.broadcast_to(np.asarray(value, np.int64), size).copy() for name, value in values.items()},
        fill=_fill_sums(asked),
        capability=_by_code(capability),
        clock=np.array(clock if clock is not None else AWAKE * max(total, 1) // AWAKE.sum(), np.int64),
        days=dict(days) if days is not None else {("m-1", DAY + day): total // DAYS for day in range(DAYS)},
        beats=(
            np.repeat(np.arange(size), [len(own) for own in minutes]),
            np.concatenate([*minutes, np.zeros(0, np.int64)]),
        ),
        settings=tuple((settings or {"1024|1.0|1|true": total}).items()),
        cites=tuple(f"e-{account}" for account in members[:5].tolist()),
    )


def among(
    sketch: GroupSketch,
    *,
    size: int = SIZE,
    absent: Iterable[str] = (),
    replays: Sequence[tuple[int, int, int]] = (),
    licensed: Iterable[int] = (),
    breaks_licence: Iterable[int] = (),
    public_templates: Iterable[int] = (),
    model_days: Mapping[tuple[str, int], int] | None = None,
    atoms: Sequence[tuple[int, int, int]] = (),
    reported: Reported | None = None,
    **changes: Mapping[int, Any],
) -> Population:
    """Return a population that holds the group. `changes` maps account indices to values of one column or kind.

    Kinds that come from exchanges (ip, stack_asn, system_key, tools_key) take a list of values an account; prefixes
    follow the addresses. `replays` are (minted, submitted, times); `atoms` are further (account, frame, exchanges);
    `model_days` is the others' traffic.
    """
    columns = {name: list(values) for name, values in _innocents(size).items()}
    _bring_in(sketch, columns)
    for name, change in changes.items():
        for account, value in change.items():
            columns[name][account] = value
    if "prefix" not in changes:
        columns["prefix"] = [[_prefix(address) for address in own] for own in columns["ip"]]
    traffic = dict(model_days if model_days is not None else _drift(columns["exchanges"]))
    for key, count in sketch.days.items():
        traffic[key] = traffic.get(key, 0) + count
    present = COLUMNS - set(absent)
    return Population(
        ids=pa.array([f"a{account:05d}" for account in range(size)]),
        keys=np.arange(1, size + 1),
        usage={name: np.array(columns[name], np.int64) for name in USAGE_COLUMNS},
        clock=np.array(columns["clock"], np.int64),
        edges={kind: edges_of(columns[kind]) for kind in KINDS if _has(kind, present)},
        atoms=_atoms_of(sketch, size, atoms),
        created_at=np.array(columns["created_at"], np.int64),
        suspended_at=np.array(columns["suspended_at"], np.int64),
        words={name: np.array(columns[name], object) for name in WORDS},
        present=present,
        model_days=traffic,
        replays=_replays_of(replays),
        licensed=_marked(licensed, size),
        breaks_licence=_marked(breaks_licence, size),
        public_templates=frozenset(public_templates),
        reported=reported,
        start=START,
        end=END,
    )


def edges_of(values: Sequence[Any]) -> Edges:
    """Return the edges of a list of values an account, or of one value an account; None is none."""
    lists = [([] if v is None else [v]) if not isinstance(v, list) else list(dict.fromkeys(v)) for v in values]
    account = np.repeat(np.arange(len(lists)), [len(own) for own in lists])
    flat = [str(value) for own in lists for value in own]
    return _edges(account, pa.array(flat, pa.string()), len(lists))


def reports(
    shown: Mapping[int, Sequence[str]], bits: Mapping[str, float], partner: int = 0, size: int = SIZE
) -> Reported:
    """Return what a partner reported: each account's values, as `kind|value`, and the bits of each value."""
    edges = edges_of([list(shown.get(account, [])) for account in range(size)])
    labels = edges.labels.to_pylist()
    return Reported(
        edges,
        tuple(label.partition("|")[0] for label in labels),
        np.array([bits[label] for label in labels], np.float64),
        np.full(len(labels), partner),
        np.ones(len(labels), np.int64),
    )


def same(accounts: Iterable[int], value: Any) -> dict[int, Any]:
    """Give each of these accounts one and the same value."""
    return dict.fromkeys(accounts, value)


def dealt(accounts: Iterable[int], values: Sequence[Any]) -> dict[int, Any]:
    """Deal values out to accounts in turn."""
    return {account: values[at % len(values)] for at, account in enumerate(accounts)}


def bits_of(found: Finding | None) -> float:
    """Return what a finding says; silence is nothing."""
    return 0.0 if found is None else found.bits


def is_silent(found: Finding | None) -> bool:
    """Whether a finding moves no verdict."""
    return abs(bits_of(found)) <= SILENCE


def fires(found: Finding | None, sketch: GroupSketch, population: Population | None = None) -> bool:
    """Whether a finding accuses, says numbers, and cites only exchanges that exist."""
    if found is None or found.bits <= SILENCE:
        return False
    known = set(sketch.cites) | set(population.replays.cites if population else ())
    return bool(re.search(r"\d", found.because)) and set(found.cites) <= known


def exculpates(found: Finding | None) -> bool:
    """Whether a finding speaks for innocence, with a number."""
    return found is not None and found.bits < -SILENCE and bool(re.search(r"\d", found.because))


@cache
def _innocents(size: int) -> dict[str, list[Any]]:
    """Everyone's columns: no two draws depend on what a test changes."""
    chance = np.random.default_rng(7)
    volume = np.maximum(chance.lognormal(3.0, 1.4, size), 1).astype(np.int64)
    first = START + chance.integers(0, 10 * DAY_US, size)
    asns = chance.choice([1, 2, 3, 5], size, p=[0.6, 0.25, 0.1, 0.05])
    home = (chance.pareto(1.0, size) * 3).astype(np.int64) % 60
    company = np.where(chance.random(size) < 0.15, chance.integers(0, max(size // 10, 1), size), -1)
    tool = chance.choice(["agent-tool", "ide", "notes", ""], size, p=[0.2, 0.1, 0.1, 0.6])
    client = chance.choice(["sdk-py", "sdk-js", "browser", "app"], size, p=[0.4, 0.3, 0.2, 0.1])
    carrier = [f"100.64.{at % 8}.{at % 23}" for at in chance.integers(0, 184, size).tolist()]
    on_carrier = chance.random(size) < 0.3
    mail = chance.choice(["mail.example", "post.example", "inbox.example"], size, p=[0.6, 0.3, 0.1])
    paid, phoned = chance.random(size) < 0.6, chance.random(size) < 0.4
    columns: dict[str, Any] = {
        "exchanges": volume,
        "first_ts": first,
        "last_ts": np.minimum(first + chance.integers(HOUR_US, 12 * DAY_US, size), END),
        "active_hours": np.minimum(volume, 80),
        "single": (volume * chance.uniform(0.1, 0.6, size)).astype(np.int64),
        "talk": volume // 3,
        "trace": (volume * 0.02).astype(np.int64),
        "rubric": (volume * 0.01).astype(np.int64),
        "input_tokens": volume * chance.integers(200, 1_000, size),
        "output_tokens": volume * chance.integers(200, 600, size),
        "saturated": volume // 20,
        "templated": volume // 2,
        "denied": np.zeros(size, np.int64),
        "first_day": np.maximum(volume // 6, 1),
        "stacks": np.minimum(asns, 1 + (chance.random(size) < 0.8) * 2),
        "asns": asns,
        "first_denied": np.full(size, NEVER),
        "created_at": END - chance.integers(5 * DAY_US, 730 * DAY_US, size),
        "suspended_at": np.full(size, NEVER),
    }
    columns = {name: values.tolist() for name, values in columns.items()}
    columns |= {
        "clock": [_day_of(chance, count) for count in columns["exchanges"]],
        "ip": [[f"10.{i // 250}.{i % 250}.7"] + [carrier[i]] * bool(on_carrier[i]) for i in range(size)],
        "prefix": [[] for _ in range(size)],
        "stack_asn": [[f"{client[i]}|{64_500 + home[i]}"] for i in range(size)],
        "system_key": [[tool[i]] if tool[i] else [f"own-{i}"] * (i % 3 == 0) for i in range(size)],
        "tools_key": [[tool[i]] if tool[i] else [] for i in range(size)],
        "payment_fingerprint": [f"card-{i}" if paid[i] else None for i in range(size)],
        "phone_hash": [f"phone-{i}" if phoned[i] else None for i in range(size)],
        "signup_ip": [carrier[i] if on_carrier[i] else f"10.{i // 250}.{i % 250}.7" for i in range(size)],
        "email_domain": [f"firm-{company[i]}.example" if company[i] >= 0 else str(mail[i]) for i in range(size)],
        "org_id": [f"firm-{company[i]}" if company[i] >= 0 else None for i in range(size)],
        "verification": chance.choice(["email", "phone", "payment", "business"], size, p=[0.3, 0.3, 0.3, 0.1]).tolist(),
        "plan": chance.choice(["free", "pro", "team"], size, p=[0.6, 0.3, 0.1]).tolist(),
        "program": [None if draw > 0.04 else "research" for draw in chance.random(size).tolist()],
        "country": chance.choice(["DE", "IN", "BR", "US", "JP"], size).tolist(),
    }
    return columns


def _bring_in(sketch: GroupSketch, columns: dict[str, list[Any]]) -> None:
    """Let each member's whole usage be what it did in the group."""
    for at, account in enumerate(sketch.accounts.tolist()):
        own = {name: int(values[at]) for name, values in sketch.sums.items()}
        for name in own.keys() & set(USAGE_COLUMNS):
            columns[name][account] = own[name]
        columns["templated"][account] = own["exchanges"]
        columns["first_day"][account] = max(own["exchanges"] // 10, 1)
        columns["active_hours"][account] = own["active_hours"]
        columns["clock"][account] = (sketch.clock // sketch.size).tolist()


def _atoms_of(sketch: GroupSketch, size: int, extra: Sequence[tuple[int, int, int]]) -> Atoms:
    """Return everyone's own frames and a few popular ones, and the group's."""
    chance = np.random.default_rng(11)
    volume = np.maximum(chance.lognormal(2.5, 1.4, size), 1).astype(np.int64).tolist()
    tool = chance.integers(0, 40, size).tolist()
    rows = {(i, 10_000 + i): volume[i] for i in range(size)} | {
        (i, 5_000 + tool[i] % 10): max(volume[i] // 3, 1) for i in range(size) if tool[i] < 20
    }
    for at, account in enumerate(sketch.accounts.tolist()):
        for frame in sketch.frames.tolist():
            rows[account, frame] = max(int(sketch.sums["exchanges"][at]) // max(len(sketch.frames), 1), 1)
    rows |= {(account, frame): exchanges for account, frame, exchanges in extra}
    keys = sorted(rows)
    count = np.array([rows[key] for key in keys], np.int64)
    begun = dict(zip(sketch.accounts.tolist(), sketch.sums["first_ts"].tolist(), strict=True))
    own = set(sketch.frames.tolist())
    drawn = (START + chance.integers(0, 12 * DAY_US, len(keys))).tolist()
    first = np.array([begun[a] if a in begun and f in own else at for (a, f), at in zip(keys, drawn, strict=True)])
    sums = dict.fromkeys(ATOM_COLUMNS, count) | {"first_ts": first, "last_ts": np.full(len(keys), END)}
    account, frame = np.array(keys, np.int64).T
    return Atoms(account.copy(), frame.copy(), sums)


def _replays_of(replays: Sequence[tuple[int, int, int]]) -> Replays:
    minted, submitted, times = np.array(sorted(replays), np.int64).reshape(-1, 3).T
    cites = tuple(f"replay-{one}-{other}" for one, other, _ in sorted(replays))
    return Replays(minted.copy(), submitted.copy(), times.copy(), cites)


def _fill_sums(asked: Sequence[Sequence[int]]) -> dict[str, int]:
    member = np.repeat(np.arange(len(asked)), [len(questions) for questions in asked])
    question = np.concatenate([*(np.asarray(questions, np.int64) for questions in asked), np.zeros(0, np.int64)])
    pairs, by_member = np.unique(np.stack([question, member]), axis=1, return_counts=True)
    fills, code, holders = np.unique(pairs[0], return_inverse=True, return_counts=True)
    times = np.bincount(code, by_member)
    return {
        "fills": len(fills),
        "shared": int((holders >= 2).sum()),
        "pair_overlap": int((holders * (holders - 1) // 2).sum()),
        "within_pairs": int((by_member * (by_member - 1) // 2).sum()),
        "once": int((times == 1).sum()),
        "twice": int((times == 2).sum()),
        "widest": int(holders.max(initial=0)),
    }


def _by_code(capability: Mapping[str, int]) -> np.ndarray[Any, Any]:
    counts = np.zeros(16, np.int64)
    for name, count in capability.items():
        counts[CAPABILITIES.index(name)] = count
    return counts


def _marked(accounts: Iterable[int], size: int) -> np.ndarray[Any, Any]:
    mask = np.zeros(size, np.bool_)
    mask[list(accounts)] = True
    return mask


def _wake(chance: np.random.Generator, count: int) -> list[int]:
    """Return minutes of one person: awake by day, on days of their own."""
    hour = chance.choice(24, count, p=AWAKE / AWAKE.sum())
    return (chance.integers(0, DAYS, count) * 1_440 + hour * 60 + chance.integers(0, 60, count)).tolist()


def _day_of(chance: np.random.Generator, count: int) -> list[int]:
    shifted = np.roll(AWAKE, int(chance.integers(0, 24)))
    return chance.multinomial(count, shifted / shifted.sum()).tolist()


def _drift(exchanges: Sequence[int]) -> dict[tuple[str, int], int]:
    """Everyone's traffic by model: m-2 is released on the eighth day and taken up slowly."""
    daily = sum(exchanges) // DAYS
    new = {day: max(0, day - 7) * daily // 20 + (day == 7) * daily // 50 for day in range(DAYS)}
    traffic = {("m-1", DAY + day): daily - new[day] for day in range(DAYS)}
    return traffic | {("m-2", DAY + day): new[day] for day in range(DAYS) if new[day]}


def _prefix(address: str) -> str:
    return ":".join(address.split(":")[:3]) if ":" in address else address.rpartition(".")[0]
