"""Objects and servers for tests of the TAXII server."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stillwatch.sharing.taxii.operating import add_partner, open_server
from stillwatch.sharing.taxii.partners import Partner
from stillwatch.sharing.taxii.service import Taxii
from stillwatch.sharing.taxii.settings import Settings, read_settings

MARKS = {
    "clear": "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    "green": "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    "amber": "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    "red": "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
}
SETTINGS = """
title = "Sharing group"
description = "Campaigns that partners have seen."
contact = "intel@stillwatch.example"
base_url = "{base_url}"
listen = "127.0.0.1:{port}"
database = "{database}"
default_root = "hub"

[limits]
content_length = 1000000
object_length = 100000
objects = 2000
background = 500
{limits}

[[root]]
name = "hub"
title = "Hub"

[[root]]
name = "closed"
title = "Closed"

[[collection]]
root = "hub"
alias = "campaigns"
title = "Campaigns"
description = "Confirmed ones."
id = "11111111-1111-4111-8111-111111111111"

[[collection]]
root = "hub"
alias = "inbox"
title = "What partners saw"
unmarked = "green"

[[collection]]
root = "closed"
alias = "own"
title = "Nobody's"

[[partner]]
name = "north"
clearance = "red"
read = ["hub/campaigns", "hub/inbox"]
write = ["hub/campaigns", "hub/inbox"]

[[partner]]
name = "south"
clearance = "green"
read = ["hub/campaigns", "hub/inbox"]
write = ["hub/inbox"]

[[partner]]
name = "sender"
clearance = "green"
write = ["hub/campaigns"]

[[partner]]
name = "stranger"
clearance = "red"
read = ["closed/own"]
"""


def settings_file(folder: Path, **values: object) -> Path:
    """A file of settings with two roots, three collections and four partners."""
    given = {"base_url": "https://taxii.stillwatch.example", "port": 8443, "database": "taxii.db", "limits": ""}
    file = folder / "taxii.toml"
    file.write_text(SETTINGS.format(**given | values))
    return file


@contextmanager
def service(folder: Path, **values: object) -> Iterator[tuple[Taxii, dict[str, str]]]:
    """An open server without sockets, and each partner's token."""
    settings: Settings = read_settings(settings_file(folder, **values))
    database, key = open_server(settings)
    try:
        tokens = {each.name: add_partner(database, key, each.name, None) for each in settings.partner}
        yield Taxii(database, settings, key), tokens
    finally:
        database.close()


def stix(
    kind: str = "indicator", number: int | None = None, day: int = 1, mark: str | None = None, **more: Any
) -> dict[str, Any]:
    """An object of a type that has versions; the same number gives the same id, the day its version."""
    made = uuid.uuid4() if number is None else uuid.UUID(int=number, version=4)
    found: dict[str, Any] = {
        "type": kind,
        "spec_version": "2.1",
        "id": f"{kind}--{made}",
        "created": "2026-01-01T00:00:00.000Z",
        "modified": f"2026-01-{day:02d}T00:00:00.000Z",
    }
    if kind == "indicator":
        found |= {"pattern": "[ipv4-addr:value = '192.0.2.1']", "pattern_type": "stix", "valid_from": found["created"]}
    elif kind != "relationship":
        found["name"] = kind
    if mark is not None:
        found["object_marking_refs"] = [MARKS[mark]]
    return found | more


def relation(source: dict[str, Any], target: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A relationship between two objects."""
    ends = {"relationship_type": "related-to", "source_ref": source["id"], "target_ref": target["id"]}
    return stix("relationship", **{**ends, **more})


def envelope(*objects: Any) -> bytes:
    """A body to post."""
    return json.dumps({"objects": list(objects)}).encode()


class Seat:
    """One partner's view of one collection, without sockets."""

    def __init__(self, taxii: Taxii, token: str, name: str = "inbox") -> None:
        self.taxii, self.name = taxii, name
        self.partner: Partner = taxii.who(f"Bearer {token}")

    def post(self, *objects: Any) -> dict[str, Any]:
        """Post objects; returns the status."""
        return self.post_body(envelope(*objects))

    def post_body(self, body: bytes) -> dict[str, Any]:
        """Post bytes."""
        collection = self.taxii.writable(self.partner, "hub", self.name)
        found: dict[str, Any] = json.loads(self.taxii.post(self.partner, collection, body).body)
        return found

    def page(self, **filters: str) -> dict[str, Any]:
        """One page of objects."""
        found: dict[str, Any] = json.loads(self.taxii.objects(self.partner, "hub", self.name, _pairs(filters)).body)
        return found

    def objects(self, **filters: str) -> list[dict[str, Any]]:
        """The objects of one page."""
        found: list[dict[str, Any]] = self.page(**filters).get("objects", [])
        return found

    def ids(self, **filters: str) -> list[str]:
        """Their ids."""
        return [each["id"] for each in self.objects(**filters)]

    def records(self, **filters: str) -> list[dict[str, Any]]:
        """Manifest records of one page."""
        answer = self.taxii.manifest(self.partner, "hub", self.name, _pairs(filters))
        found: list[dict[str, Any]] = json.loads(answer.body).get("objects", [])
        return found

    def versions(self, object_id: str, **filters: str) -> list[str]:
        """Versions of an object."""
        answer = self.taxii.versions(self.partner, "hub", self.name, (object_id, _pairs(filters)))
        found: list[str] = json.loads(answer.body).get("versions", [])
        return found

    def one(self, object_id: str, **filters: str) -> list[dict[str, Any]]:
        """Versions of an object, whole."""
        answer = self.taxii.an_object(self.partner, "hub", self.name, (object_id, _pairs(filters)))
        found: list[dict[str, Any]] = json.loads(answer.body).get("objects", [])
        return found

    def delete(self, object_id: str, **filters: str) -> None:
        """Delete an object, or versions of it."""
        self.taxii.delete(self.partner, "hub", self.name, (object_id, _pairs(filters)))


def _pairs(filters: dict[str, str]) -> list[tuple[str, str]]:
    """`version="all"` is `match[version]=all`; limit, next and added_after stand for themselves."""
    plain = ("limit", "next", "added_after")
    return [(name if name in plain else f"match[{name}]", value) for name, value in filters.items()]
