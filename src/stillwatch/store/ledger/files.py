"""Proof files: what an outsider needs to check one entry, or that the log only grew, without our database."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stillwatch.model import InputRefused, UsageError
from stillwatch.store.ledger.notes import Checkpoint, NotVouched, PublicKey, read_checkpoint
from stillwatch.store.ledger.proofs import extends, includes
from stillwatch.store.ledger.tree import leaf_hash

INCLUSION = "stillwatch ledger inclusion 1"
CONSISTENCY = "stillwatch ledger consistency 1"


@dataclass(frozen=True, slots=True)
class Checked:
    """What a proof file was found to show. `holds` is about the tree alone; the words say what follows."""

    holds: bool
    what: str
    size: int
    index: int | None = None
    entry: Any = None  # as JSON


def inclusion_file(index: int, text: str, size: int, path: Sequence[bytes], checkpoint: str | None) -> dict[str, Any]:
    """Return the proof that an entry is in the log of a checkpoint."""
    return {
        "format": INCLUSION,
        "index": index,
        "entry": text,
        "size": size,
        "hashes": [base64.b64encode(each).decode() for each in path],
        "checkpoint": checkpoint,
    }


def consistency_file(old: str, new: str | None, size: int, path: Sequence[bytes]) -> dict[str, Any]:
    """Return the proof that the log of one checkpoint is the beginning of another's."""
    return {
        "format": CONSISTENCY,
        "size": size,
        "hashes": [base64.b64encode(each).decode() for each in path],
        "old_checkpoint": old,
        "checkpoint": new,
    }


def check_file(text: str, key: PublicKey | None, note: str | None = None) -> Checked:
    """Check a proof file against its checkpoint, signed by the key, or against one from elsewhere (`note`).

    Raises InputRefused for a file that is no proof, NotVouched for a checkpoint that cannot be trusted, and UsageError
    where nothing is given that could be.
    """
    told = _read(text)
    vouched = note if note is not None else told.get("checkpoint")
    if vouched is None:
        raise UsageError("the proof holds no checkpoint; give the one that it was made for by --checkpoint")
    if key is None and note is None:
        raise UsageError("a proof is worth as much as its checkpoint: give the log's key by --public-key")
    if not isinstance(vouched, str):
        raise InputRefused("the proof's checkpoint is no text")
    checkpoint = read_checkpoint(vouched, key)
    if told["size"] != checkpoint.size:
        raise NotVouched(f"the proof is for a log of {told['size']} entries, the checkpoint of {checkpoint.size}")
    check = _check_inclusion if told["format"] == INCLUSION else _check_consistency
    return check(told, checkpoint, key)


def _check_inclusion(told: Mapping[str, Any], checkpoint: Checkpoint, key: PublicKey | None) -> Checked:
    del key  # it vouched for the checkpoint
    index, entry = told.get("index"), told.get("entry")
    if not isinstance(index, int) or isinstance(index, bool) or not isinstance(entry, str):
        raise InputRefused("the proof lacks its index or its entry")
    leaf = leaf_hash(entry.encode(errors="replace"))
    holds = includes(leaf, index, checkpoint.size, told["hashes"], checkpoint.root)
    what = f"is entry {index} of {checkpoint.size}" if holds else f"is not entry {index} of {checkpoint.size}"
    return Checked(holds, f"what the file says {what}", checkpoint.size, index, _parsed(entry))


def _check_consistency(told: Mapping[str, Any], checkpoint: Checkpoint, key: PublicKey | None) -> Checked:
    if not isinstance(told.get("old_checkpoint"), str):
        raise InputRefused("the proof lacks its older checkpoint")
    old = read_checkpoint(told["old_checkpoint"], key)
    holds = extends((old.size, old.root), (checkpoint.size, checkpoint.root), told["hashes"])
    verb = "are" if holds else "are not"
    return Checked(holds, f"the {old.size} entries {verb} the first of the {checkpoint.size}", checkpoint.size)


def _read(text: str) -> dict[str, Any]:
    try:
        told = json.loads(text)
        hashes = [base64.b64decode(each, validate=True) for each in told["hashes"]]
        known = told["format"] in (INCLUSION, CONSISTENCY) and _whole(told["size"])
    except (ValueError, KeyError, TypeError, binascii.Error, RecursionError):
        known = False
    if not known:
        raise InputRefused("no proof of this version; `stillwatch ledger prove` makes one")
    return {**told, "hashes": hashes}


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
