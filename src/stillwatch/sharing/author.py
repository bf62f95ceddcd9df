"""The pen that writes objects: producer, marking, moments and ids are put on each alike."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from stillwatch.sharing.extensions import EVIDENCE, PROJECT, SINCE
from stillwatch.sharing.ids import Json, derived
from stillwatch.sharing.tlp import MARKINGS, Tlp

Objects = dict[str, Json]  # by id


def stamp(moment: dt.datetime) -> str:
    """Return a moment as STIX writes it."""
    return f"{moment.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S}Z"


def _version(moment: dt.datetime) -> str:
    """Return a moment as `created` and `modified` are written: to the millisecond."""
    return f"{moment.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S}.000Z"


def common(kind: str, *identity: str, **held: object) -> Json:
    """Return an object that is the same for everybody, authored by the project and free to pass on."""
    return {
        "type": kind, "spec_version": "2.1", "id": derived(kind, *identity), "created_by_ref": PROJECT,
        "created": SINCE, "modified": SINCE, **held, "object_marking_refs": [MARKINGS[Tlp.CLEAR]],
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Author:
    """One producer, writing about one campaign at one level."""

    producer: str  # its name
    level: Tlp
    since: dt.datetime
    until: dt.datetime

    @property
    def identity(self) -> str:
        """Return the id of the producer."""
        return derived("identity", self.producer)

    def write(self, kind: str, *identity: str, **held: object) -> Json:
        """Return an object of ours; its id depends on producer, level and what it is about, not on its content.

        On the level too: what a partner is told at one level is not a newer version of what another was told.
        """
        return {
            "type": kind,
            "spec_version": "2.1",
            "id": derived(kind, self.producer, self.level.value, *identity),
            "created_by_ref": self.identity,
            "created": _version(self.since),
            "modified": _version(max(self.since, self.until)),
            **{name: value for name, value in held.items() if value not in (None, "", [], {})},
            "object_marking_refs": [MARKINGS[self.level]],
        }

    def keep(self, kind: str, *identity: str, **held: object) -> Json:
        """Return an object that several campaigns share: it says nothing that changes from one to the next."""
        return self.write(kind, *identity, **held) | {"created": SINCE, "modified": SINCE}

    def relate(self, source: Json, verb: str, target: Json, **held: object) -> Json:
        """Return a relationship between two objects."""
        return self.write(
            "relationship", source["id"], verb, target["id"],
            relationship_type=verb, source_ref=source["id"], target_ref=target["id"], **held,
        )  # fmt: skip


def graded(source: str, credibility: int, **more: object) -> Json:
    """Return the evidence extension with the Admiralty pair."""
    return {EVIDENCE: {"extension_type": "property-extension", "admiralty_source": source,
                       "admiralty_credibility": credibility, **{k: v for k, v in more.items() if v}}}  # fmt: skip
