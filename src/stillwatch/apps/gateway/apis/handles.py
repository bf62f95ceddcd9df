"""Opaque handles on their way in and out: opened for whom they were given to, and sealed for whom they are given to.

Encrypted reasoning, signatures and ids of responses are what hidden reasoning is carried away by: minted on one
account, submitted on another. A sealed one is of use where it was given, and nowhere else.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from stillwatch.apps.gateway.apis.sealing import MARK, Place, Sealed, Sealer, is_sealed
from stillwatch.apps.gateway.apis.thoughts import LISTS, fill, handles_of, is_block, slots_of
from stillwatch.ingest.adapters.conversation import text_of

CONVERSES = {"chat.completions": "messages", "messages": "messages", "count_tokens": "messages", "responses": "input"}
EARLIER = "previous_response_id"
BOUND, RAW, UNBOUND = "bound", "raw", "unbound"
OTHER_CONVERSATION, UNREADABLE, OTHER_ACCOUNT = "other-conversation", "unreadable", "other-account"
FAILS = (UNBOUND, OTHER_CONVERSATION, UNREADABLE, OTHER_ACCOUNT)  # the gravest last
ORDER = ("", RAW, BOUND, *FAILS)
WHY: Mapping[str, str] = {
    UNBOUND: "It carries a reasoning handle from before handles were bound to accounts; leave it out and ask again.",
    OTHER_CONVERSATION: "It carries a reasoning handle of another conversation; leave it out and ask again.",
    UNREADABLE: "It carries a reasoning handle that this service did not give; leave it out and ask again.",
    OTHER_ACCOUNT: "It carries a reasoning handle that was given to another account; leave it out and ask again.",
}
MOST_TURNS = 12  # that a seal names


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds of handles. Without `binds` only those are sealed beside which a text was altered."""

    binds: bool = False
    conversation: bool = False  # a handle is bound to its conversation too
    failed: str = "refuse"  # what becomes of a request with one that fails: refuse, strip, observe
    raw_until: int | None = None  # µs since 1970: until when handles may be as they were before; None: always


@dataclass(frozen=True, slots=True)
class Who:
    """Who asks, and when."""

    account: str
    organisation: str
    now: int  # µs since 1970


@dataclass(frozen=True, slots=True)
class Opened:
    """What a request's handles came to."""

    status: str = ""  # of the gravest: raw, bound, or why it fails
    changes: Mapping[str, Any] = field(default_factory=dict, repr=False)  # fields with the upstream's own handles
    stripped: Mapping[str, Any] = field(default_factory=dict, repr=False)  # fields without what fails
    sent: Mapping[str, str] = field(default_factory=dict, repr=False)  # by the upstream's own handle, what came
    turns: frozenset[bytes] = frozenset()  # of the conversation that an earlier response continues

    @property
    def fails(self) -> bool:
        """Return whether a handle is not of this account, this conversation, or this deployment."""
        return self.status in FAILS


NONE = Opened()


class Handles:
    """Opens what comes in, and makes what seals the answer. One for a process."""

    def __init__(self, secret: bytes, rules: Rules) -> None:
        self.rules, self._sealer = rules, Sealer(secret)

    def open(self, asked: Mapping[str, Any], endpoint: str, who: Who) -> Opened:
        """Return what a request's handles come to; what it carries is judged, and opened where it can be."""
        name = CONVERSES.get(endpoint)
        earlier = asked.get(EARLIER) if endpoint == "responses" else None
        earlier = earlier if isinstance(earlier, str) and earlier else None
        blocks = list(_blocks_in(asked.get(name))) if name else []
        if not blocks and earlier is None:
            return NONE
        return _Request(self, who, asked, endpoint).opened(name or "", earlier)

    def open_path(self, path: str, who: Who) -> tuple[str, Opened]:
        """Return the path of a stored response with the upstream's own id, and what the id comes to."""
        parts = path.split("/")
        at = parts.index("responses") + 1
        status, inside = self.judge(parts[at], who, None)
        if inside is None:
            return path, Opened(status)
        sent = {inside.handle: parts[at]}
        parts[at] = inside.handle
        return "/".join(parts), Opened(status, sent=sent, turns=inside.place.turns)

    def sealing(self, opened: Opened, asked: Mapping[str, Any], endpoint: str, who: Who) -> Sealing:
        """Return what seals the handles of an answer."""
        return Sealing(self, opened, asked, endpoint, who)

    def judge(self, handle: str, who: Who, turns: frozenset[bytes] | None) -> tuple[str, Sealed | None]:
        """Return what a handle comes to where it is submitted, and what it holds; `turns` None: in any conversation."""
        if not is_sealed(handle):
            until = self.rules.raw_until
            return (UNBOUND if self.rules.binds and until is not None and who.now >= until else RAW), None
        inside = self._sealer.open(handle)
        if inside is None:
            return UNREADABLE, None
        here = self.place(who, frozenset())
        ours = inside.place.account == here.account
        if not ours and (not here.organisation or inside.place.organisation != here.organisation):
            return OTHER_ACCOUNT, inside
        if self.rules.conversation and turns is not None and inside.place.turns and not turns & inside.place.turns:
            return OTHER_CONVERSATION, inside
        return BOUND, inside

    def place(self, who: Who, turns: frozenset[bytes]) -> Place:
        """Return the place of whom is told something."""
        tag = self._sealer.tag
        return Place(tag("account", who.account), tag("organisation", who.organisation), turns)

    def turns_of(self, asked: Mapping[str, Any], endpoint: str, given: bool = False) -> frozenset[bytes]:
        """Return what a request's turns are known by; with `given` its first and its last, as they go into a seal."""
        said = _user_turns(asked.get(CONVERSES.get(endpoint, "")))
        return self._sealer.turns([*said[:1], *said[-1:]] if given else said, given)

    def sealed(self, place: Place, handle: str, texts: list[str] | None) -> str:
        """Return a handle sealed for a place."""
        return self._sealer.seal(place, handle, texts)


class Sealing:
    """Seals the handles of one answer. The place is looked at when the first one comes."""

    def __init__(self, handles: Handles, opened: Opened, asked: Mapping[str, Any], endpoint: str, who: Who) -> None:
        self._handles, self._sent, self.binds = handles, opened.sent, handles.rules.binds
        self._asked, self._endpoint, self._who, self._earlier = asked, endpoint, who, opened.turns
        self._place: Place | None = None

    def seal(self, handle: str, texts: list[str] | None = None) -> str:
        """Return what the client gets for a handle."""
        if texts is None and not self.binds:
            return handle
        return self._sealed(handle, texts)

    def seal_id(self, handle: str) -> str:
        """Return what the client gets for the id of a response."""
        return f"resp_{self._sealed(handle, None)}" if self.binds else handle

    def _sealed(self, handle: str, texts: list[str] | None) -> str:
        if handle in self._sent:
            return self._sent[handle].removeprefix("resp_")
        if self._place is None:
            turns = self._handles.turns_of(self._asked, self._endpoint, given=True)
            both = sorted(self._earlier)[: MOST_TURNS - len(turns)]
            self._place = self._handles.place(self._who, turns | frozenset(both))
        return self._handles.sealed(self._place, handle, texts)


class _Request:
    """One request whose handles are opened."""

    def __init__(self, handles: Handles, who: Who, asked: Mapping[str, Any], endpoint: str) -> None:
        self._handles, self._who, self._asked = handles, who, asked
        self._turns = handles.turns_of(asked, endpoint) if handles.rules.conversation else frozenset[bytes]()
        self._status, self._sent = "", dict[str, str]()
        self._changed, self._failing = False, list[Any]()

    def opened(self, name: str, earlier: str | None) -> Opened:
        changes: dict[str, Any] = {}
        stripped: dict[str, Any] = {}
        turns = frozenset[bytes]()
        if earlier is not None:
            fails, inside = self._judged(earlier, None)
            if inside is not None:
                changes[EARLIER], turns = inside.handle, inside.place.turns
                stripped[EARLIER] = inside.handle
            if fails:
                stripped[EARLIER] = None
        self._turns |= turns  # the conversation is the one that the upstream has stored
        held = copy.deepcopy(self._asked.get(name))
        for block in list(_blocks_in(held)):
            self._open_block(block)
        if self._changed:
            changes[name] = held
        if self._changed or self._failing:
            stripped[name] = _without(held, frozenset(id(each) for each in self._failing))
        return Opened(self._status, changes, stripped, self._sent, turns)

    def _open_block(self, block: Any) -> None:
        for name in handles_of(block):
            fails, inside = self._judged(block[name], self._turns)
            if inside is not None:
                block[name], self._changed = inside.handle, True
                if inside.texts is not None:
                    fill(slots_of(block), list(inside.texts))
            if fails:
                self._failing.append(block)

    def _judged(self, handle: str, turns: frozenset[bytes] | None) -> tuple[bool, Sealed | None]:
        status, inside = self._handles.judge(handle, self._who, turns)
        self._status = max(self._status, status, key=ORDER.index)
        if inside is not None:
            self._sent[inside.handle] = handle
        return status in FAILS, inside


def may_be_sealed(body: bytes) -> bool:
    """Say whether a body may hold one of our seals."""
    return MARK.encode() in body


def _blocks_in(held: Any) -> Iterator[Any]:
    """Yield the blocks of reasoning of a request's messages or items that have handles."""
    if isinstance(held, list):
        for each in held:
            yield from _blocks_in(each)
    elif isinstance(held, dict):
        if is_block(held):
            if handles_of(held):
                yield held
            return
        for name in ("content", *LISTS):
            yield from _blocks_in(held.get(name))


def _without(held: Any, left: frozenset[int]) -> Any:
    """Return messages or items without some blocks, by identity; what holds them stays."""
    if isinstance(held, list):
        return [_without(each, left) for each in held if id(each) not in left]
    if isinstance(held, dict):
        return {name: _without(each, left) if name in ("content", *LISTS) else each for name, each in held.items()}
    return held


def _user_turns(held: Any) -> list[str]:
    """Return the texts of a conversation's turns that are a person's or a program's, in their order."""
    if isinstance(held, str):
        return [held]
    said = (each for each in held if isinstance(each, dict)) if isinstance(held, list) else ()
    return [text for each in said if each.get("role") == "user" and (text := text_of(each))]
