"""One pull: every source of every partner, each kept as far as it came, none stopping another."""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from stillwatch.model import InputRefused, StillwatchError
from stillwatch.sharing.feeds.client import Collection, Page, Unreachable
from stillwatch.sharing.feeds.lists import Reading, read_csv, read_list, read_misp
from stillwatch.sharing.feeds.settings import PartnerTable, Settings, SourceTable
from stillwatch.sharing.feeds.stix_objects import read_stix
from stillwatch.sharing.feeds.store import Cursor, Store, keep, move
from stillwatch.sharing.feeds.words import Item, Json, Refused
from stillwatch.sharing.taxii.envelope import MAX_CONTAINERS, Limits

LONGEST_TOKEN = 1_000  # characters of a server's `next`
BATCH = 5_000  # objects of a file in one transaction
SHORTER = "split the file, or serve it by TAXII"
FEWER = "ask the partner for less, or raise limits.objects"
READERS = {"misp": read_misp, "csv": read_csv, "list": read_list}


@dataclass(frozen=True, slots=True)
class Pulled:
    """What one source gave. `trouble` says why it ended early, if it did."""

    partner: str
    source: str
    new: int
    refused: int
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Clock:
    """Time, as an argument: microseconds since 1970, and how to wait."""

    now: int
    pause: Callable[[float], None] = lambda _: None


def pull(settings: Settings, store: Store, clock: Clock) -> list[Pulled]:
    """Pull everything once; what one source does wrong is told in its line and costs no other."""
    done = []
    store.call_ours(settings.ours)
    for one in settings.partner:
        store.introduce(
            one.name, reliability=one.reliability, identity=one.identity or ("own" if one.own else ""),
            key_id=one.key_id, key_file=one.key_file,
        )  # fmt: skip
        for source in one.source:
            work = _collection if source.type == "taxii" else _files
            new = refused = 0
            trouble = ""
            try:
                for added, wrong in work(settings, store, (one, source), clock):
                    new, refused = new + added, refused + wrong
            except StillwatchError as error:
                trouble = str(error)
            done.append(Pulled(one.name, source.name(), new, refused, trouble))
    return done


def _limits(settings: Settings) -> Limits:
    own = settings.limits
    return Limits(own.objects, own.object_length, own.depth)


def _collection(
    settings: Settings, store: Store, which: tuple[PartnerTable, SourceTable], clock: Clock
) -> Iterator[tuple[int, int]]:
    """Yield what each page gave. The cursor is written with the page, so a kill between two costs nothing."""
    partner, source = which
    name, most = f"{partner.name} {source.name()}", settings.limits.objects
    collection = Collection(
        source.url, source.collection, source.user, _token(source), source.ca_file, settings.limits.body_length,
        clock.pause,
    )  # fmt: skip
    cursor, taken = store.cursor(name), 0
    while True:
        page = collection.page(settings.limits.page, cursor.added_after, cursor.next)
        if page is None:  # the server forgot where we were: from the beginning of this pull, which doubles nothing
            cursor = Cursor(cursor.added_after)
            page = collection.page(settings.limits.page, cursor.added_after, "")
            assert page is not None
        told = _envelope(page, source.name())
        items = list(read_stix(page.body, _limits(settings), clock.now)) if "objects" in told else []
        broken = any(isinstance(one, Refused) and one.whole for one in items)
        taken += len(items)
        after = cursor if broken else _after(page, told, cursor)
        with store.writing() as connection:
            counted = keep(connection, (partner.name, source.name()), items, clock.now)
            move(connection, name, after)
        yield counted
        if broken:
            raise Unreachable(f"{source.name()}: a page is malformed; the next pull asks for it again")
        if told.get("more") is not True:
            return
        if after == cursor or taken > most:
            raise Unreachable(f"{source.name()}: more than {most:,} objects, or pages that lead nowhere; {FEWER}")
        cursor = after


def _envelope(page: Page, name: str) -> Json:
    """Return the envelope. A page that is none, or too much for memory, moves no cursor."""
    told = None
    if page.body.count(b"{") + page.body.count(b"[") <= MAX_CONTAINERS:
        with suppress(ValueError, RecursionError):
            told = json.loads(page.body)
    if not isinstance(told, dict):
        raise Unreachable(f"{name}: a page is no envelope, or too much of one; lower limits.page, or tell the partner")
    return told


def _after(page: Page, told: Json, cursor: Cursor) -> Cursor:
    """Return where to go on: the server's `next` with the same filter, else after the newest object that it dated."""
    reached, token = max(cursor.reached, page.reached), told.get("next")
    if told.get("more") is True and isinstance(token, str) and 0 < len(token) <= LONGEST_TOKEN:
        return Cursor(cursor.added_after, token, reached)
    return Cursor(reached or cursor.added_after, "", reached)


def _files(
    settings: Settings, store: Store, which: tuple[PartnerTable, SourceTable], clock: Clock
) -> Iterator[tuple[int, int]]:
    """Yield what each batch of each file gave."""
    partner, source = which
    places = sorted(glob.glob(source.path))
    if not places:
        raise InputRefused(f"{source.path}: there is no such file")
    for place in places:
        items: Iterator[Item | Refused] = _read(Path(place), source, settings, clock)
        while batch := list(islice(items, BATCH)):
            with store.writing() as connection:
                yield keep(connection, (partner.name, place), batch, clock.now)


def _read(place: Path, source: SourceTable, settings: Settings, clock: Clock) -> Iterator[Item | Refused]:
    longest = settings.limits.body_length
    try:
        with place.open("rb") as file:
            body = file.read(longest + 1)
    except OSError as error:
        return iter([Refused("", f"cannot be read ({error.strerror})", "give a file that this process may read")])
    if len(body) > longest:
        return iter([Refused("", f"is longer than {longest:,} bytes", SHORTER)])
    if source.type == "stix":
        return read_stix(body, _limits(settings), clock.now)
    items = READERS[source.type](body, Reading(clock.now, source.kind, source.columns))
    return _at_most(items, settings.limits.objects)


def _at_most(items: Iterator[Item | Refused], most: int) -> Iterator[Item | Refused]:
    more = Refused("", f"holds more than {most:,} objects; the rest was not read", FEWER)
    return chain(islice(items, most), (more for _ in islice(items, 1)))


def _token(source: SourceTable) -> str:
    if not source.token_file:
        return ""
    try:
        with open(os.path.expanduser(source.token_file), encoding="utf-8") as file:
            return file.read(10_000).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputRefused(f"{source.token_file}: the token cannot be read ({type(error).__name__})") from None
