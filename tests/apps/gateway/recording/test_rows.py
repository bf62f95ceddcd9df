from __future__ import annotations

import math
from dataclasses import replace

import msgspec
import pyarrow as pa

from stillwatch.actions.decision import ALLOWED
from stillwatch.apps.gateway.recording.rows import FIELDS, SCHEMA, header, pack, to_table, unpack
from stillwatch.apps.gateway.seams import Arrival, Outcome
from stillwatch.ingest.columns import EXCHANGE_COLUMNS
from tests.apps.gateway.recording.small import DENIED, NOON, OK, SHADOW, arrival


def there_and_back(*packed: bytes) -> list[dict[str, object]]:
    rows, strange = unpack([header(), *packed])
    assert strange == []
    return to_table(rows).to_pylist()


def test_every_field_comes_back_under_its_column() -> None:
    full = Arrival(
        "e1", NOON + 5, "a1", "anthropic", "messages", "m", "why?", "be kind", ("search",), 3, 64, 0.5, 2, True,
        "2001:db8::1", 64500, "NZ", "sdk/2", "t13d", "k-1", "first-party", ("h1", "h2"),
    )  # fmt: skip
    (row,) = there_and_back(pack(full, DENIED, Outcome(403, 7, 0, ("h3",), "no"), True))
    assert row.pop("ts").timestamp() == (NOON + 5) / 1e6
    assert row == {
        "exchange_id": "e1", "account_id": "a1", "model": "m", "prompt": "why?", "system_prompt": "be kind",
        "tools": ["search"], "turns": 3, "input_tokens": 7, "output_tokens": 0, "max_tokens": 64, "temperature": 0.5,
        "n": 2, "stream": True, "ip": "2001:db8::1", "asn": 64500, "country": "NZ", "user_agent": "sdk/2",
        "tls_fingerprint": "t13d", "api_key_id": "k-1", "channel": "first-party", "endpoint": "messages", "status": 403,
        "artefacts_out": ["h3"], "artefacts_in": ["h1", "h2"], "response": "no", "decision": "deny", "would": None,
        "rule": "r1", "reason": "known-campaign", "campaign_id": None,
    }  # fmt: skip


def test_an_outcome_that_nobody_reported_has_no_status() -> None:
    (row,) = there_and_back(pack(arrival(), ALLOWED, Outcome(0), False))
    assert row["status"] is None


def test_the_columns_are_those_of_the_contract_in_its_order() -> None:
    contract = [column.name for column in EXCHANGE_COLUMNS]
    assert [name for name in contract if name in FIELDS] == list(FIELDS[: -len(("d", "w", "r", "r", "c"))])
    assert SCHEMA.names == list(FIELDS)


def test_shadow_mode_says_what_was_done_and_what_would_have_been() -> None:
    rows = there_and_back(*(pack(arrival(n), each, OK, False) for n, each in enumerate((SHADOW, ALLOWED, DENIED))))
    assert [(row["decision"], row["would"], row["campaign_id"]) for row in rows] == [
        ("allow", "deny", "c-1"),
        ("allow", None, None),
        ("deny", None, None),
    ]


def test_an_answer_is_not_written_where_text_is_dropped() -> None:
    assert b"the answer" not in pack(arrival(), ALLOWED, replace(OK, response="the answer"), False)


def test_nothing_offered_and_nothing_submitted_is_null_not_an_empty_list() -> None:
    (row,) = there_and_back(pack(arrival(), ALLOWED, OK, False))
    assert (row["tools"], row["artefacts_in"], row["artefacts_out"]) == (None, None, None)


def test_what_a_client_sends_at_its_worst_is_still_an_exchange() -> None:
    odd = [
        arrival(0, prompt="half \ud83d a character", user_agent="\x00\x07"),
        arrival(1, max_tokens=1 << 200, n=1 << 63, turns=-(1 << 63)),
        arrival(2, temperature=math.nan),
        arrival(3, temperature=math.inf, max_tokens=True, model="\udfff"),
        arrival(4, tools=("ok", "\ud800"), asn=4_294_967_295),
        arrival(5, prompt="x" * 3_000_000),
        arrival(6, prompt={"not": "text"}, temperature="warm", model=None),
    ]
    rows = there_and_back(*(pack(each, ALLOWED, OK, False) for each in odd))
    assert sorted(str(row["exchange_id"]) for row in rows) == [f"e{n:05d}" for n in range(7)]
    by_id = {row["exchange_id"]: row for row in rows}
    assert by_id["e00000"]["prompt"] == "half ? a character"
    assert (by_id["e00001"]["max_tokens"], by_id["e00001"]["n"], by_id["e00001"]["turns"]) == (None, None, -(1 << 63))
    assert by_id["e00004"]["tools"] == ["ok", "?"]
    assert by_id["e00006"]["temperature"] is None


def test_a_file_of_an_older_version_is_read_by_the_names_that_it_gives() -> None:
    names = ["exchange_id", "account_id", "ts", "model", "forgotten"]
    old = msgspec.msgpack.encode({"stillwatch-spool": 1, "fields": names})
    rows, strange = unpack([old, msgspec.msgpack.encode(["e1", "a1", NOON, "m", 7])])
    assert strange == []
    row = to_table(rows).to_pylist()[0]
    assert (row["exchange_id"], row["account_id"], row["model"], row["prompt"]) == ("e1", "a1", "m", None)


def test_a_record_that_is_no_exchange_is_given_back() -> None:
    other = msgspec.msgpack.encode([1, 2, 3])
    rows, strange = unpack([header(), other, b"\xc1", pack(arrival(), ALLOWED, OK, False)])
    assert strange == [other, b"\xc1"]
    assert len(rows) == 1


def test_rows_stand_in_the_order_of_time() -> None:
    packed = [pack(arrival(number), ALLOWED, OK, False) for number in (3, 1, 2)]
    assert [row["exchange_id"] for row in there_and_back(*packed)] == ["e00001", "e00002", "e00003"]
    assert to_table([]).schema.equals(pa.schema(SCHEMA))
