"""Objects are stored once, numbered without gaps in their order, and come back as they came."""

from __future__ import annotations

import json
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stillwatch.sharing.taxii import database as storage
from stillwatch.sharing.taxii.operating import open_server
from stillwatch.sharing.taxii.posting import CLASH
from stillwatch.sharing.taxii.service import Taxii
from stillwatch.sharing.taxii.settings import read_settings
from stillwatch.sharing.taxii.words import Refusal
from tests.sharing.taxii.made import MARKS, Seat, envelope, relation, service, settings_file, stix


def test_what_came_is_what_goes(either: dict[str, Seat]) -> None:
    raw = (
        b'{"spec_version":"2.1","type":"ipv4-addr",  "value":"192.0.2.1","x_n":1.50,"x_t":"\\u00e9\\u2028",'
        b'"id":"ipv4-addr--00000000-0000-4000-8000-000000000001"}'
    )
    either["north"].post_body(b'{"objects": [' + raw + b"]}")
    seat = either["north"]
    assert raw in seat.taxii.objects(seat.partner, "hub", "inbox", []).body


def test_every_kind_of_object_makes_the_round_trip(either: dict[str, Seat]) -> None:
    extension = stix("extension-definition", schema="https://stillwatch.example/x.json", version="1.0.0")
    extension["extension_types"] = ["new-sdo"]
    marking = {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": MARKS["amber"],
        "created": "2022-10-01T00:00:00.000Z",
        "name": "TLP:AMBER",
        "extensions": {"extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d": {"tlp_2_0": "amber"}},
    }
    own = stix("x-stillwatch-llm-capability", extensions={extension["id"]: {"extension_type": "new-sdo"}})
    observable = {"type": "x-stillwatch-payment-instrument", "spec_version": "2.1"}
    observable |= {"id": stix("x-stillwatch-payment-instrument")["id"], "hmac_sha256": "ab" * 32}
    sent = [extension, marking, own, observable, stix(), relation(own, extension)]
    status = either["north"].post(*sent)
    assert (status["status"], status["success_count"], status["failure_count"]) == ("complete", 6, 0)
    assert either["north"].objects() == sent


def test_an_exact_copy_is_no_error_and_is_stored_once(either: dict[str, Seat]) -> None:
    one = stix()
    spaced = json.dumps({"objects": [one]}, indent=3).encode()
    either["north"].post(one, one)
    status = either["north"].post_body(spaced)
    assert status["success_count"] == 1
    assert either["north"].objects(version="all") == [one]


def test_another_content_under_one_version_is_refused(either: dict[str, Seat]) -> None:
    one = stix(number=1)
    status = either["north"].post(one, one | {"description": "other"})
    assert [each["message"] for each in status["failures"]] == [CLASH]
    assert either["north"].post(one | {"description": "other"})["failure_count"] == 1
    assert either["north"].objects() == [one]


def test_versions_are_told_apart(either: dict[str, Seat]) -> None:
    seat = either["north"]
    first, second, third = (stix(number=1, day=day) for day in (1, 2, 3))
    seat.post(second)
    seat.post(third, first)
    other = stix(number=2)
    seat.post(other)
    assert seat.objects() == [third, other]
    assert seat.objects(version="first") == [first, other]
    assert seat.objects(version="all") == [second, third, first, other]
    assert seat.objects(version="2026-01-02T00:00:00Z") == [second]
    assert seat.objects(version="first,last") == [third, first, other]
    assert seat.objects(version="last,2026-01-02T00:00:00.000000Z") == [second, third, other]
    assert seat.one(first["id"]) == [third]
    assert seat.versions(first["id"]) == [each["modified"] for each in (second, third, first)]
    assert seat.versions(first["id"], limit="2") == [each["modified"] for each in (second, third)]


def test_the_latest_stix_version_is_served_unless_another_is_asked_for(either: dict[str, Seat]) -> None:
    seat = either["north"]
    new = stix("campaign", number=1)
    old = stix("campaign", number=1, day=5)
    del old["spec_version"]
    seat.post(old, new)
    assert seat.objects() == [new]
    assert seat.objects(version="all") == [new]
    assert seat.objects(spec_version="2.0") == [old]
    assert seat.objects(spec_version="2.0,2.1") == [old]
    assert seat.objects(spec_version="2.0,2.1", version="all") == [old, new]
    assert seat.objects(spec_version="2.0,2.1", version="first") == [new]
    assert seat.versions(new["id"]) == [new["modified"]]
    assert seat.versions(new["id"], spec_version="2.0") == [old["modified"]]
    assert [each["media_type"][-3:] for each in seat.records(version="all", spec_version="2.0,2.1")] == ["2.0", "2.1"]


def test_filters_are_alternatives_within_and_all_hold_together(either: dict[str, Seat]) -> None:
    seat = either["north"]
    one, two, three = stix(), stix("campaign"), stix("malware", is_family=False)
    seat.post(one, two, three)
    assert seat.objects(id=f"{one['id']},{two['id']}") == [one, two]
    assert seat.objects(type="campaign,malware") == [two, three]
    assert seat.objects(id=f"{one['id']},{two['id']}", type="campaign,malware") == [two]
    assert seat.objects(type="tool") == []


def test_pages_cover_everything_once_by_next_and_by_time(either: dict[str, Seat]) -> None:
    seat = either["north"]
    sent = [stix() for _ in range(7)]
    seat.post(*sent)
    by_next, by_time, both = [], [], []
    page = {"limit": "3"}
    while True:
        found = seat.page(**page)
        by_next += found["objects"]
        if not found.get("more"):
            break
        page = {"limit": "3", "next": found["next"]}
    after = "1970-01-01T00:00:00.000000Z"
    while records := seat.records(limit="3", added_after=after):
        by_time += records
        both += seat.records(limit="3", added_after=after, next="1")
        after = records[-1]["date_added"]
    assert by_next == sent
    assert [each["id"] for each in by_time] == [each["id"] for each in sent]
    assert both == by_time


def test_dates_are_unique_and_rise_even_when_the_clock_goes_back(
    either: dict[str, Seat], monkeypatch: pytest.MonkeyPatch
) -> None:
    seat = either["north"]
    for moment in (2_000_000_000_000_000, 1_000_000_000_000_000, 1_999_999_999_999_999, 2_000_000_000_000_050):
        monkeypatch.setattr(storage, "now", lambda moment=moment: moment)
        seat.post(*(stix() for _ in range(20)))
    dates = [each["date_added"] for each in seat.records()]
    assert len(dates) == 80
    assert dates == sorted(set(dates))


def test_writers_at_once_lose_nothing_and_readers_see_no_gap(either: dict[str, Seat]) -> None:
    seat = either["north"]
    sent = [[stix() for _ in range(10)] for _ in range(12)]

    def follow() -> list[str]:
        """Poll as a client does: on from the date of the last object that a page had."""
        seen: list[str] = []
        after = "1970-01-01T00:00:00Z"
        while len(seen) < 120:
            answer = seat.taxii.objects(seat.partner, "hub", "inbox", [("added_after", after), ("limit", "7")])
            seen += [each["id"] for each in json.loads(answer.body).get("objects", [])]
            after = answer.headers.get("X-TAXII-Date-Added-Last", after)
        return seen

    with ThreadPoolExecutor(4) as pool:
        reader = pool.submit(follow)
        list(pool.map(lambda batch: seat.post(*batch), sent))
        assert sorted(reader.result()) == sorted(each["id"] for batch in sent for each in batch)
    dates = [each["date_added"] for each in seat.records()]
    assert len(set(dates)) == len(dates) == 120


def _post_from_another_process(file: str, token: str, count: int) -> None:
    settings = read_settings(Path(file))
    database, key = open_server(settings)
    seat = Seat(Taxii(database, settings, key), token)
    for _ in range(count):
        seat.post(*(stix() for _ in range(5)))
    database.close()


def test_several_processes_share_a_database(tmp_path: Path) -> None:
    with service(tmp_path) as (taxii, tokens):
        file = str(tmp_path / "taxii.toml")
        context = multiprocessing.get_context("spawn")
        asked = [context.Process(target=_post_from_another_process, args=(file, tokens["north"], 10)) for _ in range(2)]
        for each in asked:
            each.start()
        seat = Seat(taxii, tokens["north"])
        for _ in range(10):
            seat.post(*(stix() for _ in range(5)))
        for each in asked:
            each.join(60)
        assert [each.exitcode for each in asked] == [0, 0]
        dates = [each["date_added"] for each in seat.records()]
    assert len(dates) == 150
    assert dates == sorted(set(dates))


def test_a_page_ends_where_its_bytes_do(tmp_path: Path) -> None:
    with service(tmp_path, limits="page_length = 5000") as (taxii, tokens):
        seat = Seat(taxii, tokens["north"])
        sent = [stix(description="x" * length) for length in (3_000, 1_000, 9_000, 100)]
        seat.post(*sent)
        pages, after = [], "0"
        while True:
            page = seat.page(next=after)
            pages.append(len(page["objects"]))
            if not page.get("more"):
                break
            after = page["next"]
        assert pages == [2, 1, 1]


def test_deleting_takes_what_is_named(either: dict[str, Seat]) -> None:
    seat = either["north"]
    versions = [stix(number=1, day=day) for day in (1, 2, 3, 4)]
    seat.post(*versions)
    object_id = versions[0]["id"]
    seat.delete(object_id, version="2026-01-02T00:00:00.000Z")
    assert seat.objects(version="all") == [versions[0], versions[2], versions[3]]
    seat.delete(object_id, version="last")
    assert seat.objects(version="all") == [versions[0], versions[2]]
    seat.delete(object_id, version="first")
    assert seat.one(object_id) == [versions[2]]
    seat.delete(object_id, spec_version="2.1")
    assert seat.records(version="all") == []
    with pytest.raises(Refusal, match="no such object"):
        seat.one(object_id)
    with pytest.raises(Refusal, match="no such object"):
        seat.delete(object_id)
    seat.post(*versions)
    seat.delete(object_id)
    assert seat.objects(version="all") == []
    assert seat.post(versions[0])["success_count"] == 1


def test_a_long_envelope_is_put_aside_and_worked_off(either: dict[str, Seat]) -> None:
    seat = either["north"]
    sent = [stix() for _ in range(501)]
    status = seat.post_body(envelope(*sent, {"broken": True}))
    assert (status["status"], status["total_count"], status["pending_count"]) == ("pending", 502, 502)
    assert seat.objects() == []
    assert seat.taxii.work_off()
    assert not seat.taxii.work_off()
    assert len(seat.objects()) == 501
    kept = json.loads(seat.taxii.status(seat.partner, "hub", status["id"]).body)
    assert (kept["status"], kept["success_count"], kept["failure_count"], kept["pending_count"]) == (
        "complete",
        501,
        1,
        0,
    )
    assert kept["request_timestamp"] == status["request_timestamp"]


def test_what_was_put_aside_outlives_the_process(tmp_path: Path) -> None:
    with service(tmp_path) as (taxii, tokens):
        status = Seat(taxii, tokens["north"]).post(*(stix() for _ in range(501)))
        token = tokens["north"]
    settings = read_settings(settings_file(tmp_path))
    database, key = open_server(settings)
    taxii = Taxii(database, settings, key)
    assert taxii.work_off()
    seat = Seat(taxii, token)
    assert json.loads(taxii.status(seat.partner, "hub", status["id"]).body)["status"] == "complete"
    assert len(seat.objects()) == 501
    database.close()


def test_an_envelope_that_lowered_limits_refuse_is_answered_and_not_tried_for_ever(tmp_path: Path) -> None:
    with service(tmp_path) as (taxii, tokens):
        status = Seat(taxii, tokens["north"]).post(*(stix() for _ in range(501)))
    file = settings_file(tmp_path)
    file.write_text(file.read_text().replace("objects = 2000", "objects = 10"))
    settings = read_settings(file)
    database, key = open_server(settings)
    taxii = Taxii(database, settings, key)
    assert taxii.work_off()
    assert not taxii.work_off()
    seat = Seat(taxii, tokens["north"])
    kept = json.loads(taxii.status(seat.partner, "hub", status["id"]).body)
    assert "Too many objects" in kept["failures"][0]["message"]
    database.close()


def test_a_status_lives_as_long_as_the_settings_say(seats: dict[str, Seat], monkeypatch: pytest.MonkeyPatch) -> None:
    from stillwatch.sharing.taxii import statuses, times

    seat = seats["north"]
    kept = seat.post(stix())["id"]
    hour = 3_600_000_000
    begin = times.now()
    monkeypatch.setattr(statuses, "now", lambda: begin + 47 * hour)
    assert json.loads(seat.taxii.status(seat.partner, "hub", kept).body)["id"] == kept
    monkeypatch.setattr(statuses, "now", lambda: begin + 49 * hour)
    with pytest.raises(Refusal, match="no such status"):
        seat.taxii.status(seat.partner, "hub", kept)


def test_a_status_is_for_whoever_posted(seats: dict[str, Seat]) -> None:
    kept = seats["north"].post(stix())["id"]
    other = seats["south"]
    with pytest.raises(Refusal, match="no such status"):
        other.taxii.status(other.partner, "hub", kept)


def test_what_a_partner_posts_is_served_and_deletes_is_noted_for_a_ledger(tmp_path: Path) -> None:
    noted: list[tuple[str, str, dict[str, object]]] = []
    with service(tmp_path) as (plain, tokens):
        taxii = Taxii(plain.database, plain.settings, plain.key, lambda *each: noted.append(each))
        seat = Seat(taxii, tokens["north"])
        one = stix()
        seat.post(one, {"broken": True})
        seat.objects()
        seat.objects(added_after="2099-01-01T00:00:00Z")
        seat.delete(one["id"])
    assert [(kind, subject) for kind, subject, _ in noted] == [
        ("taxii-posted", "hub/inbox"),
        ("taxii-served", "hub/inbox"),
        ("taxii-deleted", "hub/inbox"),
    ]
    assert noted[0][2]["stored"] == 1
    assert noted[0][2]["refused"] == 1
    assert (noted[1][2]["partner"], noted[1][2]["objects"]) == ("north", 1)
    assert noted[2][2] == {"partner": "north", "object": one["id"], "versions": 1}
