"""Clients that partners have: full polls, paging, pushing, through their own code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from cytaxii2.cytaxii2 import cytaxii2
from taxii2client.v21 import ApiRoot, Collection, Server, as_pages

from tests.apps.taxii.running import Running, free_port, running
from tests.sharing.taxii.made import relation, stix


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    """A server that names itself as it is reached here: these clients follow its absolute URLs."""
    port = free_port()
    with running(tmp_path, port=port, base_url=f"http://127.0.0.1:{port}") as started:
        yield started


@pytest.fixture
def sent() -> list[dict[str, Any]]:
    campaign = stix("campaign", number=1, mark="green")
    indicators = [stix(number=place + 2, mark="green") for place in range(20)]
    return [campaign, *indicators, *(relation(each, campaign, mark="green") for each in indicators)]


def test_taxii2_client_discovers_pushes_pages_and_deletes(server: Running, sent: list[dict[str, Any]]) -> None:
    north = server["north"]
    with Server(f"http://127.0.0.1:{server.port}/taxii2/", user="north", password=north.token) as found:
        assert found.title == "Sharing group"
        root: ApiRoot = found.default
        assert root.max_content_length == 1_000_000
        names = {each.alias: each for each in root.collections}
        inbox: Collection = names["inbox"]
        status = inbox.add_objects({"objects": sent})
        assert (status.status, status.success_count, status.failure_count) == ("complete", 41, 0)
        pages = list(as_pages(inbox.get_objects, per_request=7))
        assert [each for page in pages for each in page["objects"]] == sent
        assert len(pages) == 6
        records = [each for page in as_pages(inbox.get_manifest, per_request=10) for each in page["objects"]]
        assert [each["id"] for each in records] == [each["id"] for each in sent]
        later = inbox.get_objects(added_after=records[30]["date_added"])["objects"]
        assert later == sent[31:]
        assert inbox.get_objects(type="campaign")["objects"] == [sent[0]]
        newer = stix("campaign", number=1, day=9, mark="green")
        assert inbox.add_objects({"objects": [newer, {"broken": True}]}).failure_count == 1
        assert inbox.get_object(newer["id"])["objects"] == [newer]
        assert inbox.object_versions(newer["id"])["versions"] == [sent[0]["modified"], newer["modified"]]
        inbox.delete_object(newer["id"], version=newer["modified"])
        assert inbox.get_object(newer["id"])["objects"] == [sent[0]]
        inbox.delete_object(newer["id"])
        with pytest.raises(requests.HTTPError, match="404"):
            inbox.get_object(newer["id"])


def test_taxii2_client_waits_for_a_long_envelope(server: Running) -> None:
    with Server(f"http://127.0.0.1:{server.port}/taxii2/", user="north", password=server["north"].token) as found:
        inbox = next(each for each in found.default.collections if each.alias == "inbox")
        objects = [stix() for _ in range(501)]
        status = inbox.add_objects({"objects": objects}, poll_interval=0.05)
        assert (status.status, status.success_count) == ("complete", 501)
        got = [each for page in as_pages(inbox.get_objects, per_request=200) for each in page["objects"]]
        assert got == objects


def test_cytaxii2_discovers_polls_and_pushes(server: Running, sent: list[dict[str, Any]]) -> None:
    client = cytaxii2(f"http://127.0.0.1:{server.port}/taxii2/", "north", server["north"].token)
    assert client.discovery_request()["response"]["title"] == "Sharing group"
    assert client.root_discovery()["response"]["title"] == "Hub"
    collections = client.collection_request()["response"]["collections"]
    inbox = next(each["id"] for each in collections if each["alias"] == "inbox")
    assert client.collection_data_request(inbox)["response"]["can_write"] is True
    pushed = client.inbox_request(inbox, json.dumps({"objects": sent}))
    assert (pushed["status"], pushed["status_code"], pushed["response"]["success_count"]) == (True, 202, 41)
    got: list[dict[str, Any]] = []
    after = "1970-01-01T00:00:00.000000Z"
    place = None
    while True:  # added_after stays what it was, and `next` moves on: both are sent together
        page = client.poll_request(inbox, added_after=after, limit=9, next=place)["response"]
        got += page["objects"]
        if not page.get("more"):
            break
        place = page["next"]
    assert got == sent
    assert client.poll_request(inbox, object_type="campaign")["response"]["objects"] == [sent[0]]
    assert client.poll_request(inbox, object_id=sent[1]["id"])["response"]["objects"] == [sent[1]]


def test_cytaxii2_is_refused_in_words_it_can_show(server: Running) -> None:
    client = cytaxii2(f"http://127.0.0.1:{server.port}/taxii2/", "north", "nope")
    found = client.discovery_request()
    assert (found["status"], found["status_code"]) == (False, 401)
