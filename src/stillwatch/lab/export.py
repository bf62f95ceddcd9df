"""Planned exchanges to files: the log in order of time, accounts and licences, truth in a folder of its own."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.ingest.columns import ACCOUNT_COLUMNS, LICENCE_COLUMNS
from stillwatch.lab.cast import CAST
from stillwatch.lab.chance import Array, mix, stir
from stillwatch.lab.compose import Traffic
from stillwatch.lab.networks import address_text, host_of_account
from stillwatch.lab.render import hex_names
from stillwatch.lab.roster import COMPANY, COUNTRIES, DISPOSABLE, mail_domains
from stillwatch.lab.rows import ABSENT, KINDS, Log, exchange_schema
from stillwatch.lab.workers import default_threads, in_order
from stillwatch.lab.world import PLANS, PROGRAMS, VERIFICATIONS

__all__ = ("ABSENT", "org_names", "write_traffic")


def write_traffic(traffic: Traffic, out: Path, text: bool = True, threads: int | None = None) -> int:
    """All files of one run of the generator, the same for any number of threads; how many exchanges it wrote."""
    (out / "labels").mkdir(parents=True, exist_ok=True)
    names = hex_names("", stir(traffic.world.seed, 1, np.arange(len(traffic.group.accounts))), 14)
    with traffic.world.material.in_use():
        _write_log(Log(traffic, names, exchange_schema(text)), out / "exchanges.parquet", threads or default_threads())
        pq.write_table(_accounts(traffic, names), out / "accounts.parquet", compression="zstd")
    _licences(traffic, out / "licences.csv")
    planted = _labels(traffic, names, out / "labels")
    _describe(traffic, planted, out / "labels" / "traffic.json")
    return len(traffic.group.order)


def _write_log(log: Log, path: Path, threads: int) -> None:
    with pq.ParquetWriter(
        path,
        log.schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=log.repeated,
        write_statistics=log.measured,
        store_schema=False,  # else readers would be given codes where the contract says strings
    ) as file:
        for table in in_order(log.parts(), threads - 1):  # this thread writes
            file.write_table(table)


def _describe(traffic: Traffic, planted: int, path: Path) -> None:
    """What was asked for, what it was made of, and how much of it there is."""
    who, material = traffic.group.accounts, traffic.world.material
    counts = {
        "exchanges": len(traffic.group.order),
        "accounts": len(who),
        "planted_exchanges": planted,
        "planted_accounts": int(np.count_nonzero(who["campaign"] >= 0)),
        "lookalike_accounts": int(np.count_nonzero(who["lookalike"] >= 0)),
        "licences": len(traffic.group.licences),
        "campaigns": len(traffic.campaigns),
    }
    told = {
        "request": asdict(traffic.request),
        "seed": traffic.world.seed,
        "split": traffic.world.split,
        "material": {"name": material.name, "sources": list(material.sources)},
        "counts": counts,
    }
    path.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def _accounts(traffic: Traffic, names: pa.Array) -> pa.Table:
    who = traffic.group.accounts
    addresses, place = np.unique(host_of_account(who), return_inverse=True)
    moment = KINDS["timestamp"]
    columns = {
        "account_id": names,
        "created_at": pa.array(who["created"]).cast(moment),
        "org_id": org_names(who["org"]),
        "email_domain": _mail(traffic, who),
        "payment_fingerprint": _hidden("pm_", who["payment"]),
        "phone_hash": _hidden("ph_", who["phone"]),
        "signup_ip": address_text(addresses).take(pa.array(place)),
        "country": _pick(COUNTRIES, who["country"]),
        "verification": _pick(VERIFICATIONS, who["verification"]),
        "plan": _pick(PLANS, who["plan"]),
        "program": _pick(PROGRAMS, who["program"]),
        "suspended_at": pa.array(who["suspended"], mask=who["suspended"] == 0).cast(moment),
    }
    order = pa.array(np.argsort(np.asarray(names.to_pylist())))
    return pa.table({c.name: columns[c.name] for c in ACCOUNT_COLUMNS}).take(order)


def _mail(traffic: Traffic, who: Array) -> pa.Array:
    """Mail domains by number; throwaway ones are published ones where these are at hand.

    A pool's operator goes through fifteen of them, strangers mostly use the best known.
    """
    names, throwaway = mail_domains(who["domain"]), traffic.world.material.disposable
    if throwaway:
        rows = np.flatnonzero((who["domain"] >= DISPOSABLE) & (who["domain"] < COMPANY))
        own = stir(traffic.world.seed, 6, who["pool"][rows] + 1, who["domain"][rows])
        popular = (stir(traffic.world.seed, 7, who["salt"][rows]) >> np.uint64(11)) / 2.0**53
        chosen = np.where(who["pool"][rows] >= 0, (own >> np.uint64(11)) / 2.0**53, popular**4) * len(throwaway)
        for row, at in zip(rows.tolist(), chosen.astype(np.int64).tolist(), strict=True):
            names[row] = throwaway[at]
    return pa.array(names)


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


def _labels(traffic: Traffic, names: pa.Array, out: Path) -> int:
    """The truth: account → campaign, pool, look-alike class; exchange → campaign. How many exchanges were planted."""
    who = traffic.group.accounts
    classes = tuple(part.name for part in CAST)
    labels = {
        "account_id": names,
        "campaign": _pick((*traffic.campaigns, None), who["campaign"] % (len(traffic.campaigns) + 1)),
        "pool": _pick((*traffic.pools, None), who["pool"] % (len(traffic.pools) + 1)),
        "lookalike": _pick((*classes, None), who["lookalike"] % (len(classes) + 1)),
    }
    order = pa.array(np.argsort(np.asarray(names.to_pylist())))
    pq.write_table(pa.table(labels).take(order), out / "accounts.parquet", compression="zstd")
    campaign = traffic.group.column("campaign")
    planted = np.flatnonzero(campaign >= 0)
    ids = hex_names("", stir(traffic.world.seed, 3, planted), 16)
    pq.write_table(
        pa.table({"exchange_id": ids, "campaign": _pick(traffic.campaigns, campaign[planted])}),
        out / "exchanges.parquet",
        compression="zstd",
    )
    return len(planted)


def _pick(words: tuple[str, ...] | tuple[str | None, ...], numbers: Array) -> pa.Array:
    return pa.array(words, pa.string()).take(pa.array(numbers))
