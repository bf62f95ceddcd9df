"""The log as rivals read it: one pass over the exchanges, values as integers, in order of time whatever the file's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stillwatch.lab.rivals.base import Log, Ranking
from stillwatch.lab.rivals.text import SLOTS, count_shingles, signatures

Codes = NDArray[np.int64]
BATCH = 131_072
OPENING = 50  # characters of AegisGate's template
_VALUES = ("model", "ip", "user_agent", "tls_fingerprint", "country", "api_key_id")
_IDENTITY = ("payment_fingerprint", "phone_hash", "signup_ip", "email_domain", "org_id", "country")


@dataclass(frozen=True)
class Table:
    """Exchanges as columns of codes (-1: absent), sorted by time and id; accounts sorted by id."""

    account: NDArray[np.str_]
    who: Codes  # account of each exchange
    ts: Codes  # microseconds
    template: Codes
    value: Mapping[str, Codes]  # of each exchange, by column
    identity: Mapping[str, Codes]  # of each account, by column
    order: Codes  # row in the file of each exchange

    def ranking(
        self,
        score: NDArray[np.float64],
        accused: NDArray[np.bool_],
        group: Codes | None = None,
        because: str = "",
    ) -> Ranking:
        """A ranking of these accounts."""
        groups = np.full(len(self.account), -1, np.int64) if group is None else group.astype(np.int64)
        return Ranking(self.account, score.astype(np.float64), groups, accused.astype(bool), because)

    def pairs(self, column: Codes) -> tuple[Codes, Codes]:
        """Each account with each value of a column of the exchanges once."""
        there = column >= 0
        rows, values, _ = once(self.who[there], column[there])
        return rows, values

    def main(self, column: Codes) -> Codes:
        """The value that each account shows most often in a column of the exchanges."""
        found = np.full(len(self.account), -1, np.int64)
        there = column >= 0
        rows, values, times = once(self.who[there], column[there])
        order = np.lexsort((-values, times))  # among equals the smallest code is last, and wins
        found[rows[order]] = values[order]
        return found


def once(rows: Codes, column: Codes) -> tuple[Codes, Codes, Codes]:
    """Each pair of two columns of codes once, in order, and how often it is there."""
    width = int(column.max(initial=0)) + 1
    keys, times = np.unique(rows * width + column, return_counts=True)
    return keys // width, keys % width, times


def read(log: Log) -> Table:
    """The table of a log; the last ones are kept."""
    path = log.folder / "exchanges.parquet"
    return _read(log, path.stat().st_mtime_ns)


@lru_cache(maxsize=3)
def _read(log: Log, _stamp: int) -> Table:
    file = pq.ParquetFile(log.folder / "exchanges.parquet")
    there = set(file.schema_arrow.names)
    columns = ["exchange_id", "ts", "account_id", *(name for name in _VALUES if name in there)]
    plain = file.read(columns=columns)
    order = np.lexsort((_fixed(plain["exchange_id"]), _numbers(plain["ts"])))
    who, accounts = encode(plain["account_id"])
    value = {name: encode(plain[name])[0][order] for name in columns[3:]}
    absent = np.full(len(order), -1, np.int64)
    value |= {name: absent for name in _VALUES if name not in value}
    template = _templates(file) if "prompt" in there else absent
    return Table(
        np.asarray(accounts, dtype=np.str_),
        who[order],
        _numbers(plain["ts"])[order],
        template[order],
        value | {"subnet": _subnets(plain["ip"])[order] if "ip" in there else absent},
        _identity(log, accounts),
        order,
    )


def encode(column: pa.ChunkedArray) -> tuple[Codes, list[str]]:
    """Codes in the order of the values' text, -1 where there is none, and the values."""
    whole = column.dictionary_encode().unify_dictionaries().combine_chunks()
    whole = whole if isinstance(whole, pa.DictionaryArray) else pa.concat_arrays(whole.chunks)
    values = whole.dictionary.to_pylist()
    rank = np.empty(len(values) + 1, np.int64)
    order = sorted(range(len(values)), key=values.__getitem__)
    rank[order] = np.arange(len(values))
    rank[-1] = -1
    codes: Codes = rank[whole.indices.fill_null(len(values)).to_numpy(zero_copy_only=False)]
    return codes, [values[place] for place in order]


def openings(log: Log, reads: str) -> Codes:
    """AegisGate's template of each exchange: its first 50 characters without digits."""
    table = read(log)
    file = pq.ParquetFile(log.folder / "exchanges.parquet")
    parts: list[pa.Array] = []
    for batch in file.iter_batches(BATCH, columns=["prompt", "system_prompt"] if reads == "request" else ["prompt"]):
        text = pc.fill_null(batch["prompt"].cast(pa.string()), "")
        if reads == "request":
            text = pc.binary_join_element_wise(pc.fill_null(batch["system_prompt"].cast(pa.string()), ""), text, "")
        cut = pc.utf8_slice_codeunits(text, 0, OPENING)
        parts.append(pc.replace_substring_regex(cut, "[0-9]+", ""))
    if not parts:
        return np.zeros(0, np.int64)
    return encode(pa.chunked_array(parts))[0][table.order]


def _templates(file: pq.ParquetFile) -> Codes:
    """Signatures as codes; the second pass over the text knows which shingles are frequent."""
    counts = np.zeros(SLOTS, np.int32)
    for batch in file.iter_batches(BATCH, columns=["prompt"]):
        count_shingles(pa.chunked_array([batch["prompt"]]), counts)
    keys = [
        signatures(pa.chunked_array([batch["prompt"]]), counts)
        for batch in file.iter_batches(BATCH, columns=["prompt"])
    ]
    every = np.concatenate(keys) if keys else np.zeros(0, np.uint64)
    values, codes = np.unique(every, return_inverse=True)
    return codes.astype(np.int64) - 1 if len(values) and values[0] == 0 else codes.astype(np.int64)


def _subnets(column: pa.ChunkedArray) -> Codes:
    """IPv4 /24; an IPv6 address has none, as in Glasswally."""
    whole, values = encode(column)
    nets = [value.rsplit(".", 1)[0] if value.count(".") == 3 else None for value in values]
    codes = encode(pa.chunked_array([pa.array([*nets, None], pa.string())]))[0]
    return codes[whole]  # -1 is the last


def _identity(log: Log, accounts: list[str]) -> dict[str, Codes]:
    path = log.folder / "accounts.parquet"
    if not path.exists():
        return {name: np.full(len(accounts), -1, np.int64) for name in _IDENTITY}
    rows = pq.read_table(path, columns=["account_id", *_IDENTITY])
    place = pc.index_in(pa.array(accounts, pa.string()), value_set=rows["account_id"].combine_chunks())
    return {name: encode(pa.chunked_array([rows[name].combine_chunks().take(place)]))[0] for name in _IDENTITY}


def _numbers(column: pa.ChunkedArray) -> Codes:
    moments = column.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
    return np.asarray(moments.to_numpy(), dtype=np.int64)


def _fixed(column: pa.ChunkedArray) -> NDArray[np.bytes_]:
    return np.asarray(column.to_pylist(), dtype=np.bytes_)
