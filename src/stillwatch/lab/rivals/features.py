"""One row of numbers for each account: what a fraud team would compute for a supervised or an anomaly model."""

from __future__ import annotations

from functools import lru_cache

import duckdb
import numpy as np
from numpy.typing import NDArray

from stillwatch.lab.rivals.base import Log
from stillwatch.lab.rivals.table import Codes, Table, read

_SQL = """
select account_id, count(*) as n, count(distinct date_trunc('day', ts)) as days,
  count(distinct date_trunc('hour', ts)) as hours, count(distinct hour(ts)) as hours_of_day,
  avg((hour(ts) < 6)::int) as night, count(*) / greatest(1, date_diff('hour', min(ts), max(ts)) + 1) as rate,
  avg(input_tokens) as tin, avg(output_tokens) as tout, coalesce(stddev_pop(ln(1 + output_tokens)), 0) as tout_spread,
  avg(output_tokens) / (1 + avg(input_tokens)) as out_in, avg(turns) as turns, avg((turns <= 1)::int) as single,
  count(distinct max_tokens) as limits, avg(max_tokens) as limit_, avg(temperature) as temperature,
  coalesce(stddev_pop(temperature), 0) as temperature_spread, avg(stream::int) as stream, avg(n) as samples,
  count(distinct ip) as ips, count(distinct asn) as asns, count(distinct country) as countries,
  count(distinct user_agent) as agents, count(distinct tls_fingerprint) as tls, count(distinct api_key_id) as keys,
  count(distinct model) as models, avg((tools is not null)::int) as tools, avg((status <> 200)::int) as refused,
  avg((system_prompt is not null)::int) as system, count(distinct system_prompt) as systems,
  count(distinct hash(prompt)) / count(*) as novelty, avg(length(prompt)) as length,
  coalesce(stddev_pop(ln(1 + length(prompt))), 0) as length_spread, avg(len(artefacts_in)) as replayed,
  (mode(channel) <> 'first-party')::int as cloud
from read_parquet(?) group by account_id order by account_id
"""
_ACCOUNTS = """
select a.account_id, (? - epoch_us(created_at)) / 8.64e10 as age, (plan = 'free')::int as free,
  case verification when 'none' then 0 when 'email' then 1 when 'phone' then 2 when 'payment' then 3 else 4 end
  as verified,
  (program is not null)::int as programme, (org_id is not null)::int as org,
  (payment_fingerprint is null)::int as unpaid,
  (phone_hash is null)::int as no_phone, hour(created_at) as signup_hour
from read_parquet(?) a order by a.account_id
"""


def features(log: Log) -> NDArray[np.float64]:
    """Accounts, in the order of the table, by features; unknown is -1."""
    return _features(log, (log.folder / "exchanges.parquet").stat().st_mtime_ns)


@lru_cache(maxsize=3)
def _features(log: Log, _stamp: int) -> NDArray[np.float64]:
    table = read(log)
    if not len(table.account):
        return np.zeros((0, 1))
    with duckdb.connect() as engine:
        engine.execute("set timezone = 'UTC'; set threads = 2")
        sent = engine.execute(_SQL, [str(log.folder / "exchanges.parquet")]).fetchnumpy()
        known = engine.execute(_ACCOUNTS, [int(table.ts[0]), str(log.folder / "accounts.parquet")])
        stated = known.fetchnumpy()
    columns = [_numbers(values) for name, values in sent.items() if name != "account_id"]
    place = {account: row for row, account in enumerate(stated["account_id"].tolist())}
    rows = np.array([place.get(account, -1) for account in table.account.tolist()])
    for name, values in stated.items():
        if name != "account_id":
            plain = np.append(_numbers(values), np.nan)
            columns.append(plain[rows])
    return np.nan_to_num(np.column_stack([*columns, *_shared(table)]), nan=-1.0)


def _shared(table: Table) -> list[NDArray[np.float64]]:
    """With how many accounts an account shares its values, and how much of its traffic fills its main template."""
    n = len(table.account)
    found = [_holders(codes) for codes in table.identity.values()]
    for name in ("ip", "subnet", "tls_fingerprint", "user_agent"):
        found.append(_holders(table.main(table.value[name])))
    main = table.main(table.template)
    templates = np.bincount(table.pairs(table.template)[0], minlength=n).astype(float)
    rigid = np.bincount(table.who[(table.template >= 0) & (table.template == main[table.who])], minlength=n)
    sent = np.maximum(np.bincount(table.who, minlength=n), 1)
    return [*found, _holders(main), templates, templates / sent, rigid / sent]


def _holders(codes: Codes) -> NDArray[np.float64]:
    """How many accounts have the value that an account has; NaN where it has none."""
    counts = np.bincount(codes[codes >= 0], minlength=1)
    return np.where(codes >= 0, counts[np.maximum(codes, 0)], np.nan)


def _numbers(values: np.ndarray) -> NDArray[np.float64]:
    plain = np.ma.filled(np.ma.asarray(values).astype(float), np.nan)
    return np.asarray(plain, dtype=np.float64)
