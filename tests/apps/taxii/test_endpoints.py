"""The check-list of TAXII 2.1 about discovery, roots, collections, media types, authentication and errors."""

from __future__ import annotations

import re
import uuid

import pytest

from stillwatch.sharing.taxii.words import TAXII
from tests.apps.taxii.running import CAMPAIGNS, INBOX, Client, Running
from tests.sharing.taxii.made import stix

ENDPOINTS = ["/taxii2/", "/hub/", "/hub/collections/", CAMPAIGNS, CAMPAIGNS + "manifest/", CAMPAIGNS + "objects/"]
UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def test_discovery_names_absolute_roots_that_the_partner_may_enter(server: Running) -> None:
    found = server["north"].get("/taxii2/").json()
    assert found == {
        "title": "Sharing group",
        "description": "Campaigns that partners have seen.",
        "contact": "intel@stillwatch.example",
        "default": "https://taxii.stillwatch.example/hub/",
        "api_roots": ["https://taxii.stillwatch.example/hub/"],
    }
    other = server["stranger"].get("/taxii2/").json()
    assert other["api_roots"] == ["https://taxii.stillwatch.example/closed/"]
    assert "default" not in other  # it must be one of api_roots


def test_an_api_root_says_its_version_and_how_long_a_body_it_takes(server: Running) -> None:
    found = server["north"].get("/hub/").json()
    assert found == {"title": "Hub", "versions": [TAXII], "max_content_length": 1_000_000}


def test_a_root_in_which_a_partner_has_nothing_is_not_there_for_them(server: Running) -> None:
    for path in ("/closed/", "/closed/collections/", "/closed/collections/own/", "/none/", "/none/collections/"):
        assert server["north"].get(path).status == 404


def test_collections_come_in_the_same_order_with_their_rights(server: Running) -> None:
    first = server["north"].get("/hub/collections/")
    assert first.body == server["north"].get("/hub/collections/").body
    found = first.json()["collections"]
    assert [each["alias"] for each in found] == ["campaigns", "inbox"]
    for each in found:
        assert UUID4.fullmatch(each["id"])
        assert each["title"]
        assert each["can_read"] is each["can_write"] is True
        assert each["media_types"] == ["application/stix+json;version=2.0", "application/stix+json;version=2.1"]
    assert found[0]["description"] == "Confirmed ones."
    assert "description" not in found[1]


def test_a_collection_is_found_by_id_and_by_alias(server: Running) -> None:
    by_alias = server["north"].get(CAMPAIGNS)
    by_id = server["north"].get("/hub/collections/11111111-1111-4111-8111-111111111111/")
    assert by_alias.body == by_id.body
    assert server["north"].get(f"/hub/collections/{uuid.uuid4()}/").status == 404


def test_aliases_differ_within_a_root(server: Running) -> None:
    found = server["north"].get("/hub/collections/").json()["collections"]
    assert len({each["alias"] for each in found}) == len(found)


def test_a_collection_shows_each_partner_their_own_rights(server: Running) -> None:
    assert [(each["can_read"], each["can_write"]) for each in _collections(server["south"])] == [
        (True, False),
        (True, True),
    ]
    assert [(each["can_read"], each["can_write"]) for each in _collections(server["sender"])] == [(False, True)]


def _collections(client: Client) -> list[dict[str, object]]:
    found: list[dict[str, object]] = client.get("/hub/collections/").json()["collections"]
    return found


@pytest.mark.parametrize(
    "path", [*ENDPOINTS, "/hub/status/2f1c0d5e-3b1a-4a57-9c8e-6a0d5b7e4f10/", CAMPAIGNS + "objects/x/versions/"]
)
def test_without_a_good_token_nothing_is_served(server: Running, path: str) -> None:
    north = server["north"]
    for authorization in (None, "Basic bm9ydGg6bm9wZQ==", "Bearer nope", "Bearer " + north.token + "x"):
        found = north.ask("GET", path, headers={"Authorization": authorization})
        assert found.status == 401
        assert found.headers["www-authenticate"].startswith("Basic realm=")
        assert found.json()["http_status"] == "401"
    assert north.ask("GET", path, headers={"Authorization": f"Bearer {north.token}"}).status in (200, 404)


def test_an_unauthenticated_body_is_not_read(server: Running) -> None:
    headers = {"Authorization": None, "Content-Length": "900000"}
    assert server["north"].ask("POST", CAMPAIGNS + "objects/", b"{", headers).status == 401


@pytest.mark.parametrize("path", ENDPOINTS)
def test_every_answer_names_the_media_type_with_its_version(server: Running, path: str) -> None:
    good = server["north"].get(path)
    assert (good.status, good.headers["content-type"]) == (200, TAXII)
    for bad in (path[:-1], path + "nothing/at/all/", path + "x"):
        found = server["north"].get(bad)
        assert found.headers["content-type"] == TAXII
        assert found.status == 404


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        (TAXII, 200),
        ("application/taxii+json", 200),
        ("application/taxii+json; version=2.1", 200),
        ("text/html, " + TAXII, 200),
        (TAXII + ";q=0.9", 200),
        ("*/*", 200),
        (None, 200),
        ("application/taxii+json;version=9.9", 406),
        ("application/taxii+json;version=2.0", 406),
        ("application/json", 406),
    ],
)
def test_accept_is_negotiated(server: Running, accept: str | None, status: int) -> None:
    found = server["north"].ask("GET", "/hub/collections/", headers={"Accept": accept})
    assert (found.status, found.headers["content-type"]) == (status, TAXII)


@pytest.mark.parametrize(
    ("content_type", "status"),
    [(TAXII, 202), ("application/taxii+json", 202), ("application/taxii+json; version=2.1", 202), ("text/plain", 415),
     ("application/json", 415), ("application/taxii+json;version=2.0", 415), (None, 415)],
)  # fmt: skip
def test_content_type_is_negotiated(server: Running, content_type: str | None, status: int) -> None:
    body = b'{"objects": []}'
    found = server["north"].ask("POST", CAMPAIGNS + "objects/", body, {"Content-Type": content_type})
    assert found.status == status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/hub/collections/none/", 404),
        ("GET", CAMPAIGNS + "objects/?limit=0", 400),
        ("PUT", CAMPAIGNS, 405),
        ("DELETE", CAMPAIGNS, 405),
        ("GET", "/favicon.ico", 404),
    ],
)
def test_an_error_has_a_title_and_its_status_as_a_string(server: Running, method: str, path: str, status: int) -> None:
    found = server["north"].ask(method, path)
    assert (found.status, found.headers["content-type"]) == (status, TAXII)
    assert found.json()["title"]
    assert found.json()["http_status"] == str(status)


def test_reading_and_writing_are_separate_rights(server: Running) -> None:
    sender, south = server["sender"], server["south"]
    for path in ("manifest/", "objects/", f"objects/{stix()['id']}/", f"objects/{stix()['id']}/versions/"):
        assert sender.get(CAMPAIGNS + path).status == 403
    assert sender.post(CAMPAIGNS, stix(mark="green")).status == 202
    assert south.post(CAMPAIGNS, stix()).status == 403
    assert sender.get(INBOX + "objects/").status == 404
    assert sender.post(INBOX, stix()).status == 404


def test_deleting_needs_both_rights_and_says_which_case_it_is(server: Running) -> None:
    one = stix(mark="green")
    server["north"].post(CAMPAIGNS, one)
    path = f"{CAMPAIGNS}objects/{one['id']}/"
    assert server["stranger"].ask("DELETE", path).status == 404  # neither
    assert server["south"].ask("DELETE", path).status == 403  # may read
    assert server["sender"].ask("DELETE", path).status == 403  # may write
    found = server["north"].ask("DELETE", path)
    assert (found.status, found.headers["content-type"]) == (200, TAXII)
    assert server["north"].get(path).status == 404
    assert one["id"] not in [
        each["id"] for each in server["north"].get(CAMPAIGNS + "manifest/").json().get("objects", [])
    ]


def test_ranges_are_of_taxii_2_0_and_are_not_served(server: Running) -> None:
    server["north"].post(CAMPAIGNS, stix(), stix())
    found = server["north"].ask("GET", CAMPAIGNS + "objects/", headers={"Range": "items 0-0"})
    assert found.status == 200
    assert len(found.json()["objects"]) >= 2
    assert not {"content-range", "accept-ranges"} & set(found.headers)


def test_a_client_without_a_user_agent_is_served(server: Running) -> None:
    assert server["north"].get("/taxii2/").status == 200  # http.client sends none
