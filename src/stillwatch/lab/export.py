"""Planned exchanges to files: chunk by chunk, columns by contract, truth in a folder of its own."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.ingest.columns import ACCOUNT_COLUMNS, EXCHANGE_COLUMNS, LICENCE_COLUMNS
from stillwatch.lab.cast import CAST
from stillwatch.lab.chance import Array, mix, stir
from stillwatch.lab.compose import Traffic
from stillwatch.lab.networks import address_text, host_of_account, networks
from stillwatch.lab.ordinary import TOOLS
from stillwatch.lab.render import hex_names, measure, write
from stillwatch.lab.roster import COUNTRIES, mail_domain
from stillwatch.lab.stacks import stacks
from stillwatch.lab.world import CHANNELS, ENDPOINTS, MODELS, PLANS, PROGRAMS, VERIFICATIONS

CHUNK = 50_000
TEXT = ("prompt", "system_prompt")
ABSENT = ("template_key", "fill_hash", "response")
_KINDS = {
    "string": pa.string(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "boolean": pa.bool_(),
    "array<string>": pa.list_(pa.string()),
}


def exchange_schema(text: bool) -> pa.Schema:
    """The columns of the exchange log that the lab fills."""
    left_out = ABSENT if text else (*ABSENT, *TEXT)
    return pa.schema([(c.name, _KINDS[c.kind]) for c in EXCHANGE_COLUMNS if c.name not in left_out])


def write_traffic(traffic: Traffic, out: Path, text: bool = True) -> int:
    """All files of one run of the generator; how many exchanges it wrote."""
    (out / "labels").mkdir(parents=True, exist_ok=True)
    names = hex_names("", stir(traffic.world.seed, 1, np.arange(len(traffic.group.accounts))), 14)
    schema = exchange_schema(text)
    with pq.ParquetWriter(
        out / "exchanges.parquet", schema, compression="zstd", compression_level=1, use_dictionary=_repeated(schema)
    ) as file:
        for table in tables(traffic, names, schema):
            file.write_table(table)
    pq.write_table(_accounts(traffic, names), out / "accounts.parquet", compression="zstd")
    _licences(traffic, out / "licences.csv")
    _labels(traffic, names, out / "labels")
    return len(traffic.group.exchanges)


def _repeated(schema: pa.Schema) -> list[str]:
    once = {"exchange_id", "ts", "prompt", "artefacts_out", "artefacts_in", "input_tokens", "output_tokens", "tools"}
    return [name for name in schema.names if name not in once]


def tables(traffic: Traffic, names: pa.Array, schema: pa.Schema) -> Iterator[pa.Table]:
    """The exchange log in chunks, in order of time."""
    plan = traffic.group.exchanges
    for first in range(0, len(plan), CHUNK):
        chunk = plan[first : first + CHUNK]
        columns = _plain(traffic, chunk, first, names) | _text(traffic, chunk, "prompt" in schema.names)
        yield pa.table([columns[name] for name in schema.names], schema=schema)


def _plain(traffic: Traffic, chunk: Array, first: int, names: pa.Array) -> dict[str, pa.Array]:
    stack, network = stacks(), networks()
    seen, place = np.unique(chunk["ip"], return_inverse=True)
    key = stir(traffic.world.seed, 2, chunk["account"], chunk["key"])
    return {
        "exchange_id": _exchange_names(traffic, first, len(chunk)),
        "ts": pa.array(chunk["ts"]).cast(_KINDS["timestamp"]),
        "account_id": names.take(pa.array(chunk["account"])),
        "model": _pick(MODELS, chunk["model"]),
        "tools": pa.array([*TOOLS, None], _KINDS["array<string>"]).take(pa.array(chunk["tools"] % (len(TOOLS) + 1))),
        "turns": pa.array(chunk["turns"], pa.int64()),
        "output_tokens": pa.array(chunk["output"], pa.int64()),
        "max_tokens": pa.array(chunk["limit"], pa.int64()),
        "temperature": pa.array(np.round(chunk["temperature"].astype(float), 2)),
        "n": pa.array(chunk["n"], pa.int64()),
        "stream": pa.array(chunk["stream"]),
        "ip": pa.array(address_text(seen)).take(pa.array(place)),
        "asn": pa.array(network.asns[chunk["net"]]),
        "country": _pick(network.countries, chunk["net"]),
        "user_agent": _pick(stack.agents, chunk["stack"]),
        "tls_fingerprint": _pick(stack.fingerprints, chunk["stack"]),
        "api_key_id": hex_names("key_", key, 10),
        "channel": _pick(CHANNELS, chunk["channel"]),
        "endpoint": _pick(ENDPOINTS, chunk["endpoint"]),
        "status": pa.array(chunk["status"], pa.int64()),
        "artefacts_out": _handles(chunk["minted"]),
        "artefacts_in": _handles(chunk["submitted"]),
    }


def _text(traffic: Traffic, chunk: Array, wanted: bool) -> dict[str, pa.Array]:
    """Prompts and system prompts, and the tokens read, which are the same with and without text."""
    grammar = traffic.world.grammar
    both, place = np.unique(np.stack([chunk["system"].astype(np.uint64), chunk["author"]]), axis=1, return_inverse=True)
    rule, author = both[0].astype(np.int64), both[1]
    system_bytes = np.diff(measure(grammar, rule, author, author))[place]
    prompt_bytes = np.diff(measure(grammar, chunk["rule"], chunk["item"], chunk["author"]))
    columns = {"input_tokens": pa.array(chunk["context"].astype(np.int64) + (system_bytes + prompt_bytes) // 4 + 3)}
    if wanted:
        columns["prompt"] = write(grammar, chunk["rule"], chunk["item"], chunk["author"])
        columns["system_prompt"] = write(grammar, rule, author, author).take(pa.array(place))
    return columns


def _exchange_names(traffic: Traffic, first: int, rows: int) -> pa.Array:
    return hex_names("", stir(traffic.world.seed, 3, np.arange(first, first + rows)), 16)


def _pick(words: tuple[str, ...] | tuple[str | None, ...], numbers: Array) -> pa.Array:
    return pa.array(words, pa.string()).take(pa.array(numbers))


def _handles(numbers: Array) -> pa.Array:
    """Lists of none or one handle."""
    there = numbers > 0
    offsets = np.concatenate([[0], np.cumsum(there)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), hex_names("", numbers[there], 16))


def _accounts(traffic: Traffic, names: pa.Array) -> pa.Table:
    who = traffic.group.accounts
    addresses, place = np.unique(host_of_account(who), return_inverse=True)
    domains, domain = np.unique(who["domain"], return_inverse=True)
    moment = _KINDS["timestamp"]
    columns = {
        "account_id": names,
        "created_at": pa.array(who["created"]).cast(moment),
        "org_id": org_names(who["org"]),
        "email_domain": pa.array([mail_domain(int(d)) for d in domains]).take(pa.array(domain)),
        "payment_fingerprint": _hidden("pm_", who["payment"]),
        "phone_hash": _hidden("ph_", who["phone"]),
        "signup_ip": pa.array(address_text(addresses)).take(pa.array(place)),
        "country": _pick(COUNTRIES, who["country"]),
        "verification": _pick(VERIFICATIONS, who["verification"]),
        "plan": _pick(PLANS, who["plan"]),
        "program": _pick(PROGRAMS, who["program"]),
        "suspended_at": pa.array(who["suspended"], mask=who["suspended"] == 0).cast(moment),
    }
    order = pa.array(np.argsort(np.asarray(names.to_pylist())))
    return pa.table({c.name: columns[c.name] for c in ACCOUNT_COLUMNS}).take(order)


def org_names(numbers: Array) -> pa.Array:
    """Organisations by number; null where there is none."""
    return _hidden("org_", np.where(numbers >= 0, mix(np.maximum(numbers, 0)), 0))


def _hidden(prefix: str, numbers: Array) -> pa.Array:
    texts = hex_names(prefix, numbers, 14)
    return pa.compute.if_else(pa.array(numbers > 0), texts, None)


def _licences(traffic: Traffic, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.DictWriter(file, [column.name for column in LICENCE_COLUMNS], lineterminator="\n")
        rows.writeheader()
        for number, licence in enumerate(traffic.group.licences):
            org = org_names(np.array([int(licence["org_id"])]))[0].as_py()
            rows.writerow({**licence, "org_id": org, "licence_id": f"lic-{number + 1:04d}"})


def _labels(traffic: Traffic, names: pa.Array, out: Path) -> None:
    """The truth: account → campaign, pool, look-alike class; exchange → campaign."""
    who, plan = traffic.group.accounts, traffic.group.exchanges
    classes = tuple(part.name for part in CAST)
    labels = {
        "account_id": names,
        "campaign": _pick((*traffic.campaigns, None), who["campaign"] % (len(traffic.campaigns) + 1)),
        "pool": _pick((*traffic.pools, None), who["pool"] % (len(traffic.pools) + 1)),
        "lookalike": _pick((*classes, None), who["lookalike"] % (len(classes) + 1)),
    }
    order = pa.array(np.argsort(np.asarray(names.to_pylist())))
    pq.write_table(pa.table(labels).take(order), out / "accounts.parquet", compression="zstd")
    planted = np.flatnonzero(plan["campaign"] >= 0)
    ids = hex_names("", stir(traffic.world.seed, 3, planted), 16)
    pq.write_table(
        pa.table({"exchange_id": ids, "campaign": _pick(traffic.campaigns, plan["campaign"][planted])}),
        out / "exchanges.parquet",
        compression="zstd",
    )
