from __future__ import annotations

import json
from pathlib import Path

from stillwatch.ingest.engine import Engine
from stillwatch.ingest.read import read_accounts, read_exchanges
from stillwatch.ingest.support import Support
from stillwatch.ingest.validate import validate
from stillwatch.ingest.write import write_rejections
from tests.ingest.small_logs import exchange, write_ndjson


def state(support: Support, ability: str) -> str:
    return next(each.state for each in support.abilities if each.ability == ability)


def test_says_what_a_log_supports_and_what_would_enable_the_rest(engine: Engine, logs: Path) -> None:
    rows = [exchange(i, model=f"m{i % 2}") for i in range(30)] + [exchange(0), exchange(40, status="ok")]
    support = validate(read_exchanges(write_ndjson(logs / "a.ndjson", rows), engine))
    assert (support.rows_read, support.rows_kept, support.rows_rejected, support.duplicates) == (32, 30, 2, 1)
    assert [mend.field for mend in support.mends] == ["exchange_id", "status"]
    assert {state(support, name) for name in ("shared addresses", "template reuse", "joint pivot", "synchrony")} == {
        "supported"
    }
    assert state(support, "artefact replay") == "not"
    funding = next(each for each in support.abilities if each.ability == "shared funding")
    assert (funding.state, funding.enable) == ("not", ("accounts.payment_fingerprint",))
    assert json.loads(json.dumps(support.as_dict()))["first_seen"] == "2025-03-01T00:00:00.250000+00:00"


def test_sees_rounded_times_gaps_one_model_and_thin_columns(engine: Engine, logs: Path) -> None:
    rows = [
        exchange(i, ts=f"2025-03-01T{hour}:00:00Z", prompt="hi", ip="10.0.0.1" if i == 0 else None)
        for i, hour in enumerate(("01", "02", "05", "06"))
    ]
    support = validate(read_exchanges(write_ndjson(logs / "a.ndjson", rows), engine))
    assert support.seconds_apart == 60
    assert (state(support, "synchrony"), state(support, "joint pivot"), state(support, "shared addresses")) == (
        "partly",
        "partly",
        "partly",
    )
    assert [(gap.since.hour, gap.until.hour) for gap in support.gaps] == [(3, 5)]
    assert support.hours_without == 2
    assert any("shorter than" in note for note in support.notes)


def test_counts_accounts_that_either_side_lacks(engine: Engine, logs: Path) -> None:
    log = read_exchanges(write_ndjson(logs / "a.ndjson", [exchange(i) for i in range(3)]), engine)
    known = [{"account_id": name, "created_at": "2025-01-01"} for name in ("a0", "a1", "z")]
    support = validate(log, read_accounts(write_ndjson(logs / "b.ndjson", known), engine))
    assert support.strangers is not None
    assert (support.strangers.missing, support.strangers.unused, support.strangers.examples) == (1, 1, ("a2",))
    assert state(support, "signup bursts") == "supported"


def test_an_empty_log_supports_nothing_and_is_no_error(engine: Engine, logs: Path) -> None:
    support = validate(read_exchanges(write_ndjson(logs / "a.ndjson", []), engine))
    assert (support.rows_kept, support.first_seen) == (0, None)
    assert {each.state for each in support.abilities} == {"not"}


def test_rejections_are_written_one_object_a_line(engine: Engine, logs: Path) -> None:
    got = read_exchanges(write_ndjson(logs / "a.ndjson", [exchange(0), exchange(1, status=3)]), engine)
    path = write_rejections(got.rejected, logs / "rejected.ndjson")
    (line,) = path.read_text().splitlines()
    assert list(json.loads(line)) == ["file", "row", "field", "value", "mend"]
