"""The check-list of TAXII 2.1 about objects, manifest, versions, status and paging, over HTTP."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from stillwatch.sharing.taxii.words import TAXII
from tests.apps.taxii.running import CAMPAIGNS, INBOX, Client, Running
from tests.sharing.taxii.made import stix

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@pytest.fixture(scope="module")
def sent(server: Running) -> list[dict[str, Any]]:
    """Seven objects, the third of them in three versions."""
    objects = [stix("campaign") if place == 3 else stix(number=place + 1) for place in range(7)]
    server["north"].post(CAMPAIGNS, *objects)
    server["north"].post(CAMPAIGNS, stix(number=3, day=2), stix(number=3, day=3))
    return objects


def test_posting_answers_202_and_a_status(server: Running) -> None:
    one = stix()
    found = server["north"].post(INBOX, one, {"broken": True})
    assert (found.status, found.headers["content-type"]) == (202, TAXII)
    status = found.json()
    assert uuid.UUID(status["id"]).version == 4
    assert TIMESTAMP.fullmatch(status["request_timestamp"])
    assert (status["status"], status["total_count"]) == ("complete", 2)
    assert (status["success_count"], status["failure_count"], status["pending_count"]) == (1, 1, 0)
    assert status["successes"] == [{"id": one["id"], "version": one["modified"]}]
    assert status["failures"] == [
        {"id": "object 2 of the envelope", "version": "unknown", "message": "'id' is missing or no string"}
    ]
    assert "pendings" not in status  # no empty lists
    assert server["north"].get(f"/hub/status/{status['id']}/").json() == status
    assert server["south"].get(f"/hub/status/{status['id']}/").status == 404
    assert server["north"].get(f"/hub/status/{uuid.uuid4()}/").status == 404


def test_many_objects_are_pending_until_the_worker_has_stored_them(server: Running) -> None:
    found = server["north"].post(INBOX, *(stix() for _ in range(501)))
    status = found.json()
    assert (found.status, status["status"], status["pending_count"]) == (202, "pending", 501)
    assert "pendings" not in status  # all of them or none: a client takes a part for a fault
    for _ in range(600):
        status = server["north"].get(f"/hub/status/{status['id']}/").json()
        if status["status"] == "complete":
            break
        time.sleep(0.05)
    assert (status["status"], status["success_count"], status["pending_count"]) == ("complete", 501, 0)


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{nope", 400), (b"\xff", 400), (b"", 400), (b"[]", 400), (b"{}", 422), (b'{"objects": []}', 202)],
)
def test_a_body_that_is_no_envelope_is_refused_with_a_reason(server: Running, body: bytes, status: int) -> None:
    found = server["north"].ask("POST", CAMPAIGNS + "objects/", body)
    assert found.status == status
    assert status == 202 or found.json()["description"]


@pytest.mark.parametrize("path", ["manifest/", "objects/", "one", "versions"])
def test_dates_of_the_first_and_last_stand_in_the_headers(
    server: Running, sent: list[dict[str, Any]], path: str
) -> None:
    path = {"one": f"objects/{sent[0]['id']}/", "versions": f"objects/{sent[2]['id']}/versions/"}.get(path, path)
    found = server["north"].get(CAMPAIGNS + path)
    first, last = (found.headers[f"x-taxii-date-added-{name}"] for name in ("first", "last"))
    assert TIMESTAMP.fullmatch(first)
    assert TIMESTAMP.fullmatch(last)
    assert first <= last


def test_no_result_is_an_empty_envelope_without_dates(server: Running, sent: list[dict[str, Any]]) -> None:
    for path in ("objects/", "manifest/", f"objects/{sent[0]['id']}/", f"objects/{sent[0]['id']}/versions/"):
        found = server["north"].get(CAMPAIGNS + path, added_after="2099-01-01T00:00:00.000000Z")
        assert (found.status, found.json()) == (200, {})
        assert "x-taxii-date-added-first" not in found.headers
    for filters in ({"version": "2020-01-01T00:00:00Z"}, {"spec_version": "2.0"}):
        assert server["north"].get(f"{CAMPAIGNS}objects/{sent[0]['id']}/", **filters).json() == {}


def test_the_manifest_describes_what_objects_holds(server: Running, sent: list[dict[str, Any]]) -> None:
    records = server["north"].get(CAMPAIGNS + "manifest/").json()["objects"]
    assert [each["id"] for each in records] == server["north"].ids(CAMPAIGNS)
    dates = [each["date_added"] for each in records]
    assert dates == sorted(set(dates))
    assert all(TIMESTAMP.fullmatch(each) for each in dates)
    assert {each["media_type"] for each in records} == {"application/stix+json;version=2.1"}
    by_id = {each["id"]: each["version"] for each in records}
    assert by_id[sent[2]["id"]] == "2026-01-03T00:00:00.000Z"


@pytest.mark.parametrize("path", ["objects/", "manifest/"])
@pytest.mark.parametrize("by", ["next", "added_after", "both"])
def test_pages_cover_all_exactly_once(server: Running, sent: list[dict[str, Any]], path: str, by: str) -> None:
    whole = [each["id"] for each in server["north"].get(CAMPAIGNS + path, version="all").json()["objects"]]
    pages = list(_pages(server["north"], CAMPAIGNS + path, by))
    assert [name for page in pages for name in page] == whole
    assert all(len(page) <= 2 for page in pages)


def _pages(client: Client, path: str, by: str) -> Iterator[list[str]]:
    filters: dict[str, Any] = {"limit": 2, "version": "all"}
    while True:
        found = client.get(path, **filters)
        yield [each["id"] for each in found.json()["objects"]]
        if not found.json().get("more"):
            return
        last = found.headers["x-taxii-date-added-last"]
        filters |= {"next": found.json()["next"]} if by != "added_after" else {}
        filters |= {"added_after": last} if by != "next" else {}


def test_added_after_is_exclusive(server: Running, sent: list[dict[str, Any]]) -> None:
    records = server["north"].get(CAMPAIGNS + "manifest/").json()["objects"]
    for place, record in enumerate(records):
        rest = server["north"].ids(CAMPAIGNS, added_after=record["date_added"])
        assert rest == [each["id"] for each in records[place + 1 :]]


def test_versions_pages_too(server: Running, sent: list[dict[str, Any]]) -> None:
    path = f"{CAMPAIGNS}objects/{sent[2]['id']}/versions/"
    first = server["north"].get(path, limit=2).json()
    assert first["more"] is True
    rest = server["north"].get(path, limit=2, next=first["next"]).json()
    assert first["versions"] + rest["versions"] == [f"2026-01-0{day}T00:00:00.000Z" for day in (1, 2, 3)]
    assert "more" not in rest
    assert server["north"].get(f"{CAMPAIGNS}objects/{stix()['id']}/versions/").status == 404


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=-1", "limit=abc", "added_after=yesterday", "next=garbage!!", "match[version]=notatime",
     "match[version]=all,last", "match[version]=last,last", "limit=1&limit=2", "match[type]=", "match[id]=a,,b"],
)  # fmt: skip
def test_a_malformed_query_is_refused(server: Running, query: str) -> None:
    for path in ("objects/", "manifest/"):
        assert server["north"].get(f"{CAMPAIGNS}{path}?{query}").status == 400


def test_types_are_never_an_error_and_unknown_filters_are_ignored(server: Running, sent: list[dict[str, Any]]) -> None:
    assert server["north"].get(CAMPAIGNS + "objects/", type="tool").json() == {}
    assert server["north"].get(CAMPAIGNS + "objects/", type="x-never-heard-of").json() == {}
    assert server["north"].ids(CAMPAIGNS, colour="red", type="campaign") == [sent[3]["id"]]


def test_a_body_over_the_limit_is_refused_and_one_at_it_is_not(server: Running) -> None:
    most = server["north"].get("/hub/").json()["max_content_length"]
    objects = json.dumps([stix() for _ in range(3)])
    body = ('{"objects": ' + objects + "}").encode()
    at_most = body + b" " * (most - len(body))
    assert server["north"].ask("POST", INBOX + "objects/", at_most).status == 202
    found = server["north"].ask("POST", INBOX + "objects/", at_most + b" ")
    assert found.status == 413
    assert found.headers["connection"] == "close"


def test_an_object_of_another_collection_is_not_found(server: Running, sent: list[dict[str, Any]]) -> None:
    assert server["north"].get(f"{INBOX}objects/{sent[3]['id']}/").status == 404
    assert server["north"].ask("DELETE", f"{INBOX}objects/{sent[3]['id']}/").status == 404


def test_a_red_object_is_absent_over_http_too(server: Running) -> None:
    red, green = stix(mark="red"), stix(mark="green")
    server["north"].post(CAMPAIGNS, red, green)
    assert red["id"] in server["north"].ids(CAMPAIGNS)
    assert red["id"] not in server["south"].ids(CAMPAIGNS, version="all")
    assert server["south"].get(f"{CAMPAIGNS}objects/{red['id']}/").status == 404
