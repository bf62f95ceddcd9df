"""The canonical record of an answer: what is signed, and how it travels in the answer's body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stillwatch.integrity.signing.asked import Asked
from stillwatch.integrity.signing.canonical import canonical
from stillwatch.integrity.signing.reading import WHOLE
from stillwatch.integrity.signing.said import KINDS, Said, Summary

VERSION = 1
SPECIFIC = "provider_specific_fields"
FIELD = "stillwatch"  # of the answer, or of the event that carries the receipt
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """What a signer says of an answer beside its content."""

    issuer: str
    kid: str
    at: int  # µs since 1970, UTC
    nonce: str
    endpoint: str
    asked: Asked
    stream: bool
    echo: str = ""  # the nonce that the client sent, if it sent one


@dataclass(frozen=True, slots=True)
class Receipt:
    """A record, and the detached JWS over its one text."""

    record: Record
    signature: str = field(repr=False)

    def told(self) -> dict[str, Any]:
        """Return it as it stands in an answer."""
        return {"record": self.record, "signature": self.signature}

    def text(self) -> bytes:
        """Return its one text: what the ledger keeps the digest of."""
        return canonical(self.told())


def make_record(told: Told, said: Said) -> Record:
    """Return the record of an answer."""
    summary = said.summary()
    record: Record = {
        "v": VERSION,
        "issuer": told.issuer,
        "kid": told.kid,
        "at": told.at,
        "nonce": told.nonce,
        "endpoint": told.endpoint,
        "asked": told.asked.told(),
        "model": model_of(said),
        "content": summary.kinds,
        "characters": summary.characters,
        "finish": finish_of(said),
    }
    if None not in said.usage:
        record["usage"] = list(said.usage)
    if told.echo:
        record["echo"] = told.echo
    if told.stream:
        record["chain"] = chain_of(summary)
    return record


def chain_of(summary: Summary) -> dict[str, Any]:
    """Return what a record says of a stream's chain."""
    return {"link": summary.link, "runs": summary.runs, "letters": summary.letters}


def model_of(said: Said) -> str:
    """Return the model that an answer names; several in one answer stand side by side."""
    return " ".join(sorted(said.models))


def finish_of(said: Said) -> list[str]:
    """Return why each choice ended, in their order."""
    return [said.finish[at] for at in sorted(said.finish)]


def place_of(told: dict[str, Any]) -> dict[str, Any]:
    """Return where in an answer or an event the receipt stands, or would.

    In a chunk of a chat that is `delta.provider_specific_fields`: all that LiteLLM passes on of what it does not know.
    """
    choices = told.get("choices")
    for choice in choices if isinstance(choices, list) and FIELD not in told else ():
        delta = choice.get("delta") if isinstance(choice, dict) else None
        found = delta.get(SPECIFIC) if isinstance(delta, dict) else None
        if isinstance(found, dict) and FIELD in found:
            return found
    return told


def read_receipt(told: Any) -> Receipt | None:
    """Return the receipt that stands in an answer; None where what stands there is none."""
    if not isinstance(told, Mapping):
        return None
    record, signature = told.get("record"), told.get("signature")
    if not isinstance(record, dict) or not isinstance(signature, str):
        return None
    return Receipt(record, signature)


def is_sound(record: Record) -> bool:
    """Say whether a record has what this version of a record must have."""
    texts = all(isinstance(record.get(name), str) for name in ("issuer", "kid", "nonce", "endpoint", "model"))
    asked, content, chain = record.get("asked"), record.get("content"), record.get("chain", {})
    return (
        record.get("v") == VERSION
        and record.get("endpoint") in WHOLE
        and texts
        and isinstance(asked, dict)
        and all(isinstance(asked.get(name), str) for name in ("model", "conversation", "tools", "settings"))
        and isinstance(content, dict)
        and set(content) <= set(KINDS)
        and isinstance(chain, dict)
        and type(record.get("at")) is int
        and type(record.get("characters")) is int
        and isinstance(record.get("finish"), list)
    )
