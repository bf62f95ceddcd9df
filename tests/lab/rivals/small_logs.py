"""Tiny logs written by hand: who sent what, from where, when, and what they signed up with."""

from __future__ import annotations

import csv
import datetime as dt
import random
import string
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.lab.export import exchange_schema
from stillwatch.lab.rivals.base import Log, Ranking

START = dt.datetime(2026, 9, 7, tzinfo=dt.UTC)
HARVEST = "You are a strict examiner. Write one hard question about {} and then reason through it step by step."
ACCOUNT = {
    "created_at": START - dt.timedelta(days=90),
    "org_id": None,
    "email_domain": "mail.example",
    "payment_fingerprint": None,
    "phone_hash": None,
    "signup_ip": None,
    "country": "US",
    "verification": "phone",
    "plan": "pro",
    "program": None,
    "suspended_at": None,
}
EXCHANGE = {
    "model": "m-1",
    "turns": 1,
    "input_tokens": 100,
    "output_tokens": 300,
    "max_tokens": 4096,
    "temperature": 1.0,
    "n": 1,
    "stream": True,
    "asn": 7018,
    "country": "US",
    "user_agent": "sdk/1.0",
    "channel": "first-party",
    "endpoint": "/v1/messages",
    "status": 200,
    "artefacts_out": [],
    "artefacts_in": [],
}


def sentence(seed: int) -> str:
    """Words of one person, unlike those of another."""
    chance = random.Random(seed)
    return " ".join("".join(chance.choices(string.ascii_lowercase, k=6)) for _ in range(6))


def people(count: int, sent: int = 6, first: int = 0) -> list[dict[str, Any]]:
    """Strangers who write as they like, each from an address and with a client of its own."""
    rows = []
    for person in range(first, first + count):
        for each in range(sent):
            moment = person * 977 + each * 50_021 + (person * each * 131) % 4_000
            rows.append(
                row(f"p{person:03d}", sentence(person * 100 + each), moment, ip=f"20.{person}.{each % 2}.7")
                | {"tls_fingerprint": f"own-{person}"}
            )
    return rows


def ring(count: int, sent: int = 25, prompt: str = HARVEST, every: float = 600.0, **same: Any) -> list[dict[str, Any]]:
    """Accounts that fill one template in turn, each from its own address unless told otherwise."""
    rows = []
    for each in range(sent):
        for member in range(count):
            text = prompt.format(f"{sentence(5_000 + each * count + member)}")
            own = {"ip": f"90.{member}.1.9", "tls_fingerprint": f"ring-{member}"}
            rows.append(row(f"r{member:03d}", text, each * every * 7 + member % 5) | own | same)
    return rows


def row(account: str, prompt: str, second: float, **values: Any) -> dict[str, Any]:
    return {"account_id": account, "prompt": prompt, "ts": START + dt.timedelta(seconds=second)} | values


def write_log(
    folder: Path, rows: Iterable[Mapping[str, Any]], accounts: Mapping[str, Mapping[str, Any]] | None = None
) -> Log:
    """The three files of a log; exchange ids follow the content, never the order of rows."""
    accounts = accounts or {}
    folder.mkdir(parents=True, exist_ok=True)
    schema = exchange_schema(True)
    whole = [
        dict.fromkeys(schema.names)
        | EXCHANGE
        | {"exchange_id": f"{one['account_id']}-{one['ts'].timestamp():.3f}", "api_key_id": f"key-{one['account_id']}"}
        | dict(one)
        for one in rows
    ]
    pq.write_table(pa.Table.from_pylist(whole, schema=schema), folder / "exchanges.parquet")
    names = sorted({one["account_id"] for one in whole} | set(accounts))
    known = [{"account_id": name} | ACCOUNT | dict(accounts.get(name, {})) for name in names]
    moment = pa.timestamp("us", tz="UTC")
    kinds = {"created_at": moment, "suspended_at": moment}
    fields = [pa.field(name, kinds.get(name, pa.string())) for name in ("account_id", *ACCOUNT)]
    pq.write_table(pa.Table.from_pylist(known, schema=pa.schema(fields)), folder / "accounts.parquet")
    with (folder / "licences.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerow(["licence_id", "org_id", "account_id"])
    return Log(folder)


def accused(ranking: Ranking) -> set[str]:
    return set(ranking.account[ranking.accused].tolist())


def members(count: int) -> set[str]:
    return {f"r{member:03d}" for member in range(count)}
