"""The endpoints of TAXII 2.1 as functions: who asks, what for, and the answer. No sockets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from stillwatch.sharing.taxii import pages, statuses
from stillwatch.sharing.taxii.catalogue import Collection, all_collections
from stillwatch.sharing.taxii.database import Database
from stillwatch.sharing.taxii.deleting import delete_object
from stillwatch.sharing.taxii.partners import Partner, authenticate
from stillwatch.sharing.taxii.query import read_query
from stillwatch.sharing.taxii.reading import Sender, read_batch
from stillwatch.sharing.taxii.selecting import View
from stillwatch.sharing.taxii.settings import RootTable, Settings
from stillwatch.sharing.taxii.times import write_time
from stillwatch.sharing.taxii.waiting import accept_batch, put_aside, work_off_one
from stillwatch.sharing.taxii.words import ALL_OF_STIX, STIX, TAXII, Answer, Refusal, answer, not_found

Pairs = Sequence[tuple[str, str]]
Note = Callable[[str, str, dict[str, Any]], object]  # kind, subject, body: for a ledger


def _silent(_kind: str, _subject: str, _body: dict[str, Any]) -> None:
    """What is noted where there is no ledger."""


@dataclass(frozen=True)
class Taxii:
    """A TAXII server without its sockets.

    `note` is told what was posted and deleted, once that is stored, and what is served, before it goes. If it raises,
    so does the endpoint: who wants a record gets no act without it.
    """

    database: Database
    settings: Settings
    key: bytes
    note: Note = _silent
    _reading: threading.Lock = field(default_factory=threading.Lock)  # one body is taken apart at a time

    def who(self, header: str | None) -> Partner:
        """The partner whom an Authorization header speaks for."""
        with self.database.reading() as connection:
            partner = authenticate(connection, header, self.key)
        if partner is None:
            raise Refusal(401, "Who are you?", "send Basic with your name and token, or Bearer with your token")
        return partner

    def discovery(self, partner: Partner) -> Answer:
        """`/taxii2/`: the API roots in which the partner has a collection."""
        with self.database.reading() as connection:
            open_ = {each.root for each in _open_to(connection, partner)}
        roots = [self._url(each.name) for each in self.settings.root if each.name in open_]
        default = self.settings.default_root
        return answer(
            {
                "title": self.settings.title,
                "description": self.settings.description or None,
                "contact": self.settings.contact or None,
                "default": self._url(default) if default in open_ and default is not None else None,
                "api_roots": roots,
            }
        )

    def api_root(self, partner: Partner, root: str) -> Answer:
        """`/ROOT/`: what the API root is, and how large a body it takes."""
        found = self._root(partner, root)
        return answer(
            {
                "title": found.title,
                "description": found.description or None,
                "versions": [TAXII],
                "max_content_length": self.settings.limits.content_length,
            }
        )

    def collections(self, partner: Partner, root: str) -> Answer:
        """`/ROOT/collections/`: those that the partner may read or write."""
        self._root(partner, root)
        with self.database.reading() as connection:
            found = [each for each in _open_to(connection, partner) if each.root == root]
        return answer({"collections": [_resource(each, partner) for each in found]})

    def collection(self, partner: Partner, root: str, name: str) -> Answer:
        """`/ROOT/collections/ID/`."""
        with self.database.reading() as connection:
            found = self._find(connection, partner, root, name)
        return answer(_resource(found, partner))

    def objects(self, partner: Partner, root: str, name: str, pairs: Pairs) -> Answer:
        """`GET …/objects/`: a page of objects, their bytes as they came."""
        query = read_query(pairs, "objects")
        with self.database.reading() as connection:
            found = self._readable(connection, partner, root, name)
            page = pages.page_of_objects(connection, _view(found, partner), query, self._size())
        return self._served(partner, found, page)

    def an_object(self, partner: Partner, root: str, name: str, wanted: tuple[str, Pairs]) -> Answer:
        """`GET …/objects/OBJECT/`: versions of one object."""
        object_id, pairs = wanted
        query = read_query(pairs, "object", object_id)
        with self.database.reading() as connection:
            found = self._readable(connection, partner, root, name)
            view = _view(found, partner)
            page = pages.page_of_objects(connection, view, query, self._size())
            if not page.rows and not pages.is_there(connection, view, object_id):
                raise not_found("object")
        return self._served(partner, found, page)

    def manifest(self, partner: Partner, root: str, name: str, pairs: Pairs) -> Answer:
        """`GET …/manifest/`: what there is, without the objects."""
        query = read_query(pairs, "manifest")
        with self.database.reading() as connection:
            view = _view(self._readable(connection, partner, root, name), partner)
            page = pages.page_of_records(connection, view, query, self._size())
        records = [
            {"id": each, "date_added": write_time(seq), "version": version, "media_type": STIX.format(spec)}
            for seq, each, version, spec in page.rows
        ]
        return _paged({"objects": records}, page)

    def versions(self, partner: Partner, root: str, name: str, wanted: tuple[str, Pairs]) -> Answer:
        """`GET …/objects/OBJECT/versions/`: all of its versions."""
        object_id, pairs = wanted
        query = read_query(pairs, "versions", object_id)
        with self.database.reading() as connection:
            view = _view(self._readable(connection, partner, root, name), partner)
            page = pages.page_of_records(connection, view, query, self._size())
            if not page.rows and not pages.is_there(connection, view, object_id):
                raise not_found("object")
        return _paged({"versions": [version for _, _, version, _ in page.rows]}, page)

    def writable(self, partner: Partner, root: str, name: str) -> Collection:
        """The collection that a partner may post to; asked before a body is read."""
        with self.database.reading() as connection:
            found = self._find(connection, partner, root, name)
        if not partner.may(found.number).can_write:
            raise Refusal(403, "Forbidden", "you may not write to this collection")
        return found

    def post(self, partner: Partner, collection: Collection, body: bytes) -> Answer:
        """`POST …/objects/`: stored at once, or put aside to be worked off where there are many."""
        limits, sender = self.settings.limits, Sender(partner.name, partner.clearance, collection)
        with self._reading:
            batch = read_batch(body, collection.unmarked, limits)
        if len(batch.posted) > limits.background:
            status = put_aside(self.database, sender, batch, body, limits.status_hours)
        else:
            status = accept_batch(self.database, sender, batch, limits.status_hours)
            self._note_posted(status, partner.name, collection.name)
        return answer(status, 202)

    def status(self, partner: Partner, root: str, status_id: str) -> Answer:
        """`/ROOT/status/ID/`: what became of an envelope that the partner posted."""
        self._root(partner, root)
        owner = statuses.Owner(root, partner.name)
        with self.database.reading() as connection:
            found = statuses.find(connection, status_id, owner, self.settings.limits.status_hours)
        if found is None:
            raise not_found("status")
        return Answer(found)

    def delete(self, partner: Partner, root: str, name: str, wanted: tuple[str, Pairs]) -> Answer:
        """`DELETE …/objects/OBJECT/`: all versions that the partner sees, or those that they name."""
        object_id, pairs = wanted
        query = read_query(pairs, "delete", object_id)
        with self.database.writing() as connection:
            found = self._find(connection, partner, root, name)
            right = partner.may(found.number)
            if not (right.can_read and right.can_write):
                raise Refusal(403, "Forbidden", "deleting needs the right to read and to write")
            gone = delete_object(connection, View(found.number, partner.clearance), query)
        if not gone:
            raise not_found("object")
        self.note("taxii-deleted", found.name, {"partner": partner.name, "object": object_id, "versions": gone})
        return answer({})

    def work_off(self) -> bool:
        """Store one envelope that was put aside; False when none waits."""
        done = work_off_one(self.database, self.settings.limits)
        if done is None:
            return False
        self._note_posted(done.status, done.partner, done.collection)
        return True

    def _note_posted(self, status: dict[str, Any], partner: str, collection: str) -> None:
        counts = {"stored": status["success_count"], "refused": status["failure_count"], "status": status["id"]}
        self.note("taxii-posted", collection, {"partner": partner, **counts})

    def _url(self, root: str) -> str:
        return f"{self.settings.base_url}/{root}/"

    def _size(self) -> pages.Size:
        return pages.Size(self.settings.limits.page_objects, self.settings.limits.page_length)

    def _root(self, partner: Partner, root: str) -> RootTable:
        with self.database.reading() as connection:
            seen = any(each.root == root for each in _open_to(connection, partner))
        for each in self.settings.root:
            if each.name == root and seen:
                return each
        raise not_found("API root")

    def _find(self, connection: sa.Connection, partner: Partner, root: str, name: str) -> Collection:
        if any(each.name == root for each in self.settings.root):
            for each in _open_to(connection, partner):
                if each.root == root and name in (each.id, each.alias):
                    return each
        raise not_found("collection")

    def _readable(self, connection: sa.Connection, partner: Partner, root: str, name: str) -> Collection:
        found = self._find(connection, partner, root, name)
        if not partner.may(found.number).can_read:
            raise Refusal(403, "Forbidden", "you may not read this collection")
        return found

    def _served(self, partner: Partner, collection: Collection, page: pages.Page) -> Answer:
        """Return a page of objects; an empty one tells nobody anything."""
        if page.first is not None and page.last is not None:
            dates = {"first": write_time(page.first), "last": write_time(page.last)}
            self.note("taxii-served", collection.name, {"partner": partner.name, "objects": len(page.rows), **dates})
        return _envelope(page)


def _view(collection: Collection, partner: Partner) -> View:
    return View(collection.number, partner.clearance)


def _open_to(connection: sa.Connection, partner: Partner) -> list[Collection]:
    """Collections in which the partner has any right; the others do not exist for them."""
    rights = ((each, partner.may(each.number)) for each in all_collections(connection))
    return [each for each, right in rights if right.can_read or right.can_write]


def _resource(collection: Collection, partner: Partner) -> dict[str, Any]:
    right = partner.may(collection.number)
    resource = {
        "id": collection.id,
        "title": collection.title,
        "description": collection.description or None,
        "alias": collection.alias,
        "can_read": right.can_read,
        "can_write": right.can_write,
        "media_types": ALL_OF_STIX,
    }
    return {key: value for key, value in resource.items() if value is not None}


def _dates(page: pages.Page) -> dict[str, str]:
    if page.first is None or page.last is None:
        return {}  # the standard wants both headers on every answer, but nothing has no date
    return {"X-TAXII-Date-Added-First": write_time(page.first), "X-TAXII-Date-Added-Last": write_time(page.last)}


def _paged(resource: dict[str, Any], page: pages.Page) -> Answer:
    more = {"more": True, "next": str(page.last)} if page.more else {}
    told = answer({**more, **resource})
    return Answer(told.body, told.status, _dates(page))


def _envelope(page: pages.Page) -> Answer:
    """Built from bytes: what came is what goes."""
    if not page.rows:
        return Answer(b"{}")
    more = b'"more":true,"next":"%d",' % page.last if page.more and page.last is not None else b""
    return Answer(b"{" + more + b'"objects":[' + b",".join(page.rows) + b"]}", 200, _dates(page))
