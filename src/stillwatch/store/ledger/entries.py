"""What the ledger can hold: each kind of entry is one record, and says what was concluded or done, by whom, of whom."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from stillwatch.store.ledger.canonical import Value, canonical

VERSION = 1


class EntryKind(StrEnum):
    """What an entry records."""

    VERDICT = "verdict"
    ACTION = "action"
    APPROVAL = "approval"
    REVERSAL = "reversal"
    POLICY = "policy"
    KEY_ISSUED = "key-issued"
    KEY_REVOKED = "key-revoked"
    VERIFICATION = "verification"
    DECLARATION = "declaration"
    RECORD = "record"
    ANSWER = "answer"
    MARK_COMMITTED = "mark-committed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What detection concluded of a campaign, when that changed; who joined it and who left."""

    KIND: ClassVar = EntryKind.VERDICT
    verdict: str
    p: str  # six decimals, like the bits
    coordination_bits: str
    extraction_bits: str
    deception_bits: str
    accounts: int
    exchanges: int
    joined: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Action:
    """An action that was proposed; `in_force` at once where no approval is asked for."""

    KIND: ClassVar = EntryKind.ACTION
    action_id: str
    kind: str  # of `actions/decision.py`
    parameters: Mapping[str, Value]
    reason: str
    rule: str
    expires_at: int
    in_force: bool


@dataclass(frozen=True, slots=True)
class Approval:
    """A person let a proposed action come into force."""

    KIND: ClassVar = EntryKind.APPROVAL
    action_id: str


@dataclass(frozen=True, slots=True)
class Reversal:
    """A person took an action back, or refused one that was proposed."""

    KIND: ClassVar = EntryKind.REVERSAL
    action_id: str
    because: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """The policy file that decides from here on, as it is written."""

    KIND: ClassVar = EntryKind.POLICY
    text: str


@dataclass(frozen=True, slots=True)
class KeyIssued:
    """A gateway key was given out. Neither it nor its hash stands here."""

    KIND: ClassVar = EntryKind.KEY_ISSUED
    key_id: str
    label: str
    expires_at: int | None


@dataclass(frozen=True, slots=True)
class KeyRevoked:
    """A gateway key is good no longer."""

    KIND: ClassVar = EntryKind.KEY_REVOKED
    key_id: str


@dataclass(frozen=True, slots=True)
class Verification:
    """An account proved who it is."""

    KIND: ClassVar = EntryKind.VERIFICATION
    verification: str


@dataclass(frozen=True, slots=True)
class Declaration:
    """An account said what it does; consulted before it is judged."""

    KIND: ClassVar = EntryKind.DECLARATION
    declared_use: str


@dataclass(frozen=True, slots=True)
class Record:
    """A part beside detection and policy did something that others may ask about: shared, compared, handed over."""

    KIND: ClassVar = EntryKind.RECORD
    act: str  # in the part's own words, such as share or taxii-posted
    facts: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Answer:
    """A receipt was given out with an answer. The subject is the receipt's nonce; no word of the answer stands here."""

    KIND: ClassVar = EntryKind.ANSWER
    digest: str  # SHA-256 of the receipt's one text, base64url
    kid: str


@dataclass(frozen=True, slots=True)
class MarkCommitted:
    """A key of twins or of a watermark is bound, before anything is served under it. No part of the key stands here."""

    KIND: ClassVar = EntryKind.MARK_COMMITTED
    scope: str  # campaign:ID, class:NAME or deployment:NAME; the subject's id too
    purpose: str
    epoch: int
    begins: int  # µs since 1970, UTC
    commitment: str  # SHA-256 over the term and the key, in hexadecimal
    method: Mapping[str, Value]  # what a test may not choose afterwards


Content = (
    Verdict
    | Action
    | Approval
    | Reversal
    | Policy
    | KeyIssued
    | KeyRevoked
    | Verification
    | Declaration
    | Record
    | Answer
    | MarkCommitted
)  # another kind of entry is a record, a member of EntryKind, and a place in this list
_CONTENTS: dict[EntryKind, type[Any]] = {each.KIND: each for each in Content.__args__}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger."""

    at: int  # µs since 1970, UTC
    by: str  # a person, or the part of stillwatch that concluded or did it
    subject_type: str  # account, campaign, policy, or what a record is about
    subject_id: str
    content: Content

    @property
    def kind(self) -> EntryKind:
        """What the entry records."""
        return self.content.KIND


def write_entry(entry: Entry) -> str:
    """Return the text that is hashed and kept. Raises ValueError for what has no one text."""
    fields = {each.name: getattr(entry.content, each.name) for each in dataclasses.fields(entry.content)}
    return canonical(
        {
            "v": VERSION,
            "kind": entry.kind.value,
            "at": entry.at,
            "by": entry.by,
            "subject": {"type": entry.subject_type, "id": entry.subject_id},
            "content": fields,
        }
    )


def read_entry(text: str) -> Entry:
    """Return the entry of a text. Raises ValueError for a text that `write_entry` would not have written."""
    try:
        told = json.loads(text)
        kind = _CONTENTS[EntryKind(told["kind"])]
        fields = {name: tuple(each) if isinstance(each, list) else each for name, each in told["content"].items()}
        entry = Entry(told["at"], told["by"], told["subject"]["type"], told["subject"]["id"], kind(**fields))
        same = write_entry(entry) == text
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"no entry of this version: {error}") from None
    if not same:
        raise ValueError("no entry of this version: it is not written in the one way that there is")
    return entry
