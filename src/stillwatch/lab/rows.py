"""The exchange log, part by part: planned exchanges to Arrow columns, repeated values as codes.

A part depends on its own rows only, so parts are made in threads and written in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pyarrow as pa

from stillwatch.ingest.columns import EXCHANGE_COLUMNS
from stillwatch.lab.chance import Array, stir
from stillwatch.lab.compose import Traffic
from stillwatch.lab.kernels import code_values
from stillwatch.lab.networks import address_text, networks
from stillwatch.lab.ordinary import TOOLS
from stillwatch.lab.render import hex_names, measure, write
from stillwatch.lab.stacks import stacks
from stillwatch.lab.world import CHANNELS, ENDPOINTS, MODELS

PART = 1 << 16  # exchanges of a part, which is a row group of the file
TEXT = ("prompt", "system_prompt")
ABSENT = ("template_key", "fill_hash", "response")
CODED = pa.dictionary(pa.int32(), pa.string())
KINDS = {
    "string": pa.string(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "boolean": pa.bool_(),
    "array<string>": pa.list_(pa.string()),
}
_ONCE = {"exchange_id", "ts", "prompt", "artefacts_out", "artefacts_in", "input_tokens", "output_tokens"}


def exchange_schema(text: bool) -> pa.Schema:
    """The columns of the exchange log that the lab fills; strings that repeat are codes until they are written."""
    left_out = ABSENT if text else (*ABSENT, *TEXT)
    columns = [c for c in EXCHANGE_COLUMNS if c.name not in left_out]
    coded = {c.name for c in columns if c.kind == "string"} - _ONCE
    return pa.schema([(c.name, CODED if c.name in coded else KINDS[c.kind]) for c in columns])


class Log:
    """The exchange log of a traffic, as parts to be made."""

    def __init__(self, traffic: Traffic, names: pa.Array, schema: pa.Schema) -> None:
        self.traffic, self.names, self.schema = traffic, names, schema
        self.repeated = [name for name in schema.names if name not in _ONCE | {"tools"}]
        self.measured = [
            field.name for field in schema if pa.types.is_primitive(field.type)
        ]  # worth a row group's range
        self._tools = pa.array([*TOOLS, None], KINDS["array<string>"])

    def parts(self) -> Iterator[Callable[[], pa.Table]]:
        """The making of each part, in order of time."""
        for first in range(0, len(self.traffic.group.order), PART):
            yield partial(self.part, first)

    def part(self, first: int) -> pa.Table:
        """The exchanges from one place in order of time, up to the next part."""
        rows = self.traffic.group.rows(first, first + PART)
        columns = self._plain(rows, first) | self._text(rows)
        return pa.table([columns[name] for name in self.schema.names], schema=self.schema)

    def _plain(self, rows: Array, first: int) -> dict[str, pa.Array]:
        stack, network, seed = stacks(), networks(), self.traffic.world.seed
        ids = np.arange(first, first + len(rows))
        account, key = rows["account"], rows["key"]
        return {
            "exchange_id": hex_names("", stir(seed, 3, ids), 16),
            "ts": pa.array(np.ascontiguousarray(rows["ts"])).cast(KINDS["timestamp"]),
            "account_id": _coded(account, lambda who: self.names.take(pa.array(who))),
            "model": _pick(MODELS, rows["model"]),
            "tools": self._tools.take(pa.array(rows["tools"] % (len(TOOLS) + 1))),
            "turns": _integers(rows["turns"]),
            "output_tokens": _integers(rows["output"]),
            "max_tokens": _integers(rows["limit"]),
            "temperature": pa.array(np.round(rows["temperature"].astype(float), 2)),
            "n": _integers(rows["n"]),
            "stream": pa.array(rows["stream"]),
            "ip": _coded(rows["ip"], partial(address_text, table=network)),
            "asn": pa.array(network.asns[rows["net"]]),
            "country": _pick(network.countries, rows["net"]),
            "user_agent": _pick(stack.agents, rows["stack"]),
            "tls_fingerprint": _pick(stack.fingerprints, rows["stack"]),
            "api_key_id": _coded(account.astype(np.uint64) << np.uint64(16) | key.astype(np.uint64), self._keys),
            "channel": _pick(CHANNELS, rows["channel"]),
            "endpoint": _pick(ENDPOINTS, rows["endpoint"]),
            "status": _integers(rows["status"]),
            "artefacts_out": _handles(rows["minted"]),
            "artefacts_in": _handles(rows["submitted"]),
        }

    def _keys(self, pairs: Array) -> pa.Array:
        seed = self.traffic.world.seed
        return hex_names("key_", stir(seed, 2, pairs >> np.uint64(16), pairs & np.uint64(0xFFFF)), 10)

    def _text(self, rows: Array) -> dict[str, pa.Array]:
        """Prompts and system prompts, and the tokens read, which are the same with and without text."""
        grammar = self.traffic.world.grammar
        rule, item, author = (np.ascontiguousarray(rows[name]) for name in ("rule", "item", "author"))
        place, rule_of, author_of = _systems(rows["system"], author)
        system_bytes = np.diff(measure(grammar, rule_of, author_of, author_of))[place] * (rows["system"] >= 0)
        offsets = measure(grammar, rule, item, author)
        read = rows["context"].astype(np.int64) + (system_bytes + np.diff(offsets)) // 4 + 3
        columns = {"input_tokens": pa.array(read)}
        if "prompt" in self.schema.names:
            columns["prompt"] = write(grammar, rule, item, author, offsets)
            texts = write(grammar, rule_of, author_of, author_of)
            columns["system_prompt"] = _once(place, texts, rows["system"] < 0)
        return columns


def _systems(system: Array, author: Array) -> tuple[Array, Array, Array]:
    """The distinct system prompts, by rule and author: each row's place among them, their rules, their authors."""
    there = np.flatnonzero(system >= 0)
    pair = stir(system[there], author[there])
    codes, _ = code_values(pair)
    place = np.zeros(len(system), np.int32)
    place[there] = codes
    _, firsts = np.unique(codes, return_index=True)
    example = there[firsts]
    if not len(example):
        return place, np.array([-1]), np.zeros(1, np.uint64)
    return place, system[example].astype(np.int64), author[example]


def _coded(values: Array, named: Callable[[Array], pa.Array]) -> pa.Array:
    codes, distinct = code_values(np.ascontiguousarray(values))
    return pa.DictionaryArray.from_arrays(pa.array(codes), named(distinct))


def _pick(words: tuple[str, ...], numbers: Array) -> pa.Array:
    """Words by number, as codes for those that are there and no other."""
    codes, distinct = code_values(np.ascontiguousarray(numbers))
    return _once(codes, pa.array([words[int(at)] for at in distinct], pa.string()))


def _once(codes: Array, texts: pa.Array, mask: Array | None = None) -> pa.Array:
    """Coded texts, each of which has one code: Parquet's writer takes a text with two for two texts."""
    coded = texts.dictionary_encode()
    again = np.asarray(coded.indices.fill_null(0))[codes]
    return pa.DictionaryArray.from_arrays(pa.array(again, pa.int32(), mask=mask), coded.dictionary)


def _integers(values: Array) -> pa.Array:
    return pa.array(values.astype(np.int64))


def _handles(numbers: Array) -> pa.Array:
    """Lists of none or one handle."""
    there = numbers > 0
    offsets = np.concatenate([[0], np.cumsum(there)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), hex_names("", numbers[there], 16))
