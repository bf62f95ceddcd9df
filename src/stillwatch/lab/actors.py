"""Known actors with a truth: traits planted into campaigns, and a file of actors that lists them among decoys.

Traffic that `generate` wrote is written again with what its planted operators are known by: the pool's exits and cards,
the owners' personas, tools, evaluation suites and days off. The truth goes to `labels/actors.json`.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.attribution.actors import OWNER, POOL

DECOYS = 6  # actors of each role that run nothing here
KNOWN = 0.4  # share of a pool's cards that an earlier case brought to light
BY_EXIT = 0.3  # share of a pool's exchanges through its own exits
IN_ROLE = 0.8  # share of a campaign's exchanges with its persona
WITH_TOOLS = 0.6
SUITE = 40  # exchanges for each template of an evaluation suite
TEMPLATES = 3
DAYS_OFF = 2
NAMES = (
    "amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron", "inlet", "jasper", "kelp", "larch", "maple",
    "north", "ochre", "pine", "quartz", "reef", "slate", "tide", "umber", "vale", "willow", "yarrow",
)  # fmt: skip
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Planted:
    """The written folder, its file of actors, and the true actors of each campaign label."""

    folder: Path
    actors: Path
    pool_of: dict[str, str]
    owner_of: dict[str, str]


def plant_actors(traffic: Path, out: Path, seed: int) -> Planted:
    """Write traffic again into `out` with traits planted, and `actors.toml` beside it."""
    rng = np.random.default_rng(seed)
    out.mkdir(parents=True, exist_ok=True)
    shutil.copytree(traffic / "labels", out / "labels", dirs_exist_ok=True)
    for name in ("accounts.parquet", "licences.csv"):
        shutil.copy(traffic / name, out / name)
    log = pq.read_table(traffic / "exchanges.parquet")
    accounts = pq.read_table(traffic / "accounts.parquet")
    truth = pq.read_table(traffic / "labels" / "exchanges.parquet", columns=["exchange_id", "campaign"])
    label = truth["campaign"].take(pc.index_in(log["exchange_id"], value_set=truth["exchange_id"].combine_chunks()))
    labels = np.array([value or "" for value in label.to_pylist()])
    names = iter(rng.permutation(NAMES).tolist())
    rows: list[dict[str, Any]] = []
    pool_of, owner_of = {}, {}
    scenarios = sorted({one.partition("-")[2] for one in labels.tolist() if one})
    keep, extra = np.ones(len(labels), np.bool_), []
    for number, scenario in enumerate(scenarios):
        name = next(names)
        own = np.array([one.partition("-")[2] == scenario for one in labels.tolist()])
        log, traits = _pool_traits(log, accounts, own, number, rng)
        rows.append({"id": f"pool-{name}", "role": POOL, "trait": traits})
        for campaign in sorted(set(labels[own].tolist())):
            owner = next(names)
            log, traits, off, added = _owner_traits(log, labels == campaign, owner, rng)
            keep &= ~off
            extra.append(added)
            rows.append({"id": f"owner-{owner}", "role": OWNER, "trait": traits})
            pool_of[campaign], owner_of[campaign] = f"pool-{name}", f"owner-{owner}"
    rows += _decoys(log, accounts, labels, rng)
    log = pa.concat_tables([log.filter(pa.array(keep)), *extra]).sort_by([("ts", "ascending")])
    pq.write_table(log, out / "exchanges.parquet", compression="zstd")
    (out / "actors.toml").write_text(to_toml(rows), encoding="utf-8")
    told = {"pool": pool_of, "owner": owner_of}
    (out / "labels" / "actors.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return Planted(out, out / "actors.toml", pool_of, owner_of)


def to_toml(rows: list[dict[str, Any]]) -> str:
    """Return actors as the file that `--actors` reads."""
    lines = []
    for row in rows:
        lines += ["[[actor]]", *(f"{key} = {_value(value)}" for key, value in row.items() if key != "trait"), ""]
        for trait in row["trait"]:
            lines += ["[[actor.trait]]", *(f"{key} = {_value(value)}" for key, value in trait.items()), ""]
    return "\n".join(lines)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_value(each) for each in value)}]"
    return value.isoformat() if isinstance(value, dt.date) else json.dumps(value)


def _trait(kind: str, values: list[Any], grade: str) -> dict[str, Any]:
    return {"kind": kind, "values": values, "grade": grade, "source": "planted"}


def _pool_traits(
    log: pa.Table, accounts: pa.Table, own: Bools, number: int, rng: np.random.Generator
) -> tuple[pa.Table, list[dict[str, Any]]]:
    """Let a part of the pool's exchanges leave by exits of its own, and list these with some of its cards."""
    moved = own & (rng.random(len(own)) < BY_EXIT)
    exits = [f"198.18.{10 * number + part}.{host}" for part in range(2) for host in range(1, 30)]
    log = _put(log, "ip", moved, pa.array(rng.choice(exits, len(own)).tolist()))
    log = _put(log, "asn", moved, pa.array([64_500 + number] * len(own)))
    members = pc.unique(log["account_id"].filter(pa.array(own)))
    cards = accounts.filter(pc.is_in(accounts["account_id"], value_set=members))["payment_fingerprint"]
    known = sorted(card for card in pc.unique(cards).to_pylist() if card and rng.random() < KNOWN)
    traits = [
        _trait("asn", [64_500 + number], "inferred"),
        _trait("prefix", [f"198.18.{10 * number + part}.0/24" for part in range(2)], "observed"),
    ]
    return log, traits + ([_trait("payment", known, "observed")] if known else [])


def _owner_traits(
    log: pa.Table, own: Bools, name: str, rng: np.random.Generator
) -> tuple[pa.Table, list[dict[str, Any]], Bools, pa.Table]:
    """Give a campaign its owner's persona, tools, suite and days off; return the rows that the days off take away."""
    persona, tools = _persona(name), _tools(name)
    log = _put(log, "system_prompt", own & (rng.random(len(own)) < IN_ROLE), pa.array([persona] * len(own)))
    chosen = own & (rng.random(len(own)) < WITH_TOOLS)
    log = _put(log, "tools", chosen, pa.array([tools] * len(own), log.schema.field("tools").type))
    days = np.array(log["ts"].cast(pa.timestamp("us")).to_numpy(), "datetime64[D]")
    inner = np.unique(days[own])[1:-1]  # a campaign of two days has none to leave out
    off = np.sort(rng.choice(inner, min(DAYS_OFF, len(inner) // 3), replace=False))
    hours = np.bincount(pc.hour(log["ts"].filter(pa.array(own))).to_numpy(), minlength=24)
    traits = [
        _trait("persona", [persona], "observed"),
        _trait("tool", tools, "observed"),
        _trait("suite", _suite(name, "…"), "observed"),
        _trait("active-hours", [int(count) for count in hours], "inferred"),
    ]
    if len(off):
        traits.append(_trait("silent-days", [day.item() for day in off], "reported"))
    return log, traits, own & np.isin(days, off), _run_suite(log, own & ~np.isin(days, off), name, rng)


def _run_suite(log: pa.Table, own: Bools, name: str, rng: np.random.Generator) -> pa.Table:
    """Return exchanges of the campaign's accounts with its owner's evaluation suite, as further rows."""
    rows = rng.choice(np.flatnonzero(own), SUITE * TEMPLATES)
    part = log.take(pa.array(np.sort(rows)))
    size = len(part)
    ids = pa.array([f"suite-{name}-{number}" for number in range(size)])
    items = [" ".join(rng.choice(_words(), 6).tolist()) for _ in range(size)]
    prompts = [_suite(name, item)[at % TEMPLATES] for at, item in enumerate(items)]
    part = part.set_column(part.schema.get_field_index("exchange_id"), "exchange_id", ids.cast(pa.string()))
    for column in ("system_prompt", "tools", "template_key", "fill_hash"):
        if column in part.column_names:
            kind = part.schema.field(column).type
            part = part.set_column(part.schema.get_field_index(column), column, pa.nulls(size, kind))
    prompt = pa.array(prompts, log.schema.field("prompt").type)
    return part.set_column(part.schema.get_field_index("prompt"), "prompt", prompt).cast(log.schema)


def _decoys(log: pa.Table, accounts: pa.Table, labels: npt.NDArray[Any], rng: np.random.Generator) -> list[Any]:
    """Actors who are not here: listed by cards and networks of innocents, by tools that people use, by other days."""
    guilty = pc.unique(log["account_id"].filter(pa.array(labels != "")))
    innocent = log.filter(pc.invert(pc.is_in(log["account_id"], value_set=guilty)))
    theirs = accounts.filter(pc.invert(pc.is_in(accounts["account_id"], value_set=guilty)))
    cards = [card for card in pc.unique(theirs["payment_fingerprint"]).to_pylist() if card]
    numbers = [number for number in pc.unique(innocent["asn"]).to_pylist() if number]
    tools = sorted(
        {tool for own in pc.unique(pc.list_flatten(innocent["tools"])).to_pylist() for tool in [own] if tool}
    )
    days = np.unique(np.array(log["ts"].cast(pa.timestamp("us")).to_numpy(), "datetime64[D]"))
    rows: list[Any] = []
    for number in range(DECOYS):
        name = f"decoy-{number}"
        rows.append({"id": f"pool-{name}", "role": POOL, "trait": [
            _trait("asn", [int(one) for one in rng.choice(numbers, 2)], "inferred"),
            _trait("prefix", [f"198.19.{number}.0/24"], "observed"),
            _trait("payment", [str(one) for one in rng.choice(cards, 12)], "observed"),
        ]})  # fmt: skip
        rows.append({"id": f"owner-{name}", "role": OWNER, "trait": [
            _trait("persona", [_persona(name)], "observed"),
            _trait("tool", [str(rng.choice(tools))] if tools else _tools(name), "observed"),
            _trait("suite", _suite(name, "…"), "observed"),
            _trait("silent-days", sorted(day.item() for day in rng.choice(days, DAYS_OFF, replace=False)), "reported"),
            _trait("active-hours", [int(one) for one in np.roll([1] * 10 + [9] * 10 + [2] * 4, rng.integers(24))],
                   "inferred"),
        ]})  # fmt: skip
    return rows


def _put(log: pa.Table, column: str, rows: Bools, values: pa.Array) -> pa.Table:
    """Put values into a column, at these rows only."""
    at = log.schema.get_field_index(column)
    new = pc.if_else(pa.array(rows), values.cast(log.schema.field(column).type), log[column].combine_chunks())
    return log.set_column(at, log.schema.field(column), new)


def _persona(name: str) -> str:
    return (
        f"You are {name}, a careful assistant in the {name} workbench. Close every answer with the line END OF {name}."
    )


def _tools(name: str) -> list[str]:
    return [f"{name}_fetch", f"{name}_store"]


def _suite(name: str, item: str) -> list[str]:
    """Return the templates of an owner's suite, each in words of its own, with their slot filled."""
    rng = np.random.default_rng([*name.encode()])
    told = []
    for number in range(TEMPLATES):
        words = rng.choice(_words(), 24).tolist()
        told.append(f"Task {number + 1}: {' '.join(words[:12])} {item} {' '.join(words[12:])}")
    return told


@cache
def _words() -> tuple[str, ...]:
    lines = (Path(__file__).parent / "corpus" / "shared" / "words.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if line.isalpha())
