"""Nothing leaves without a name, and the ledger has it first."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from stillwatch.model import UsageError
from stillwatch.sharing.approval import Approval, release
from tests.sharing.cases import SECRET, START, case, terms


def test_an_approval_by_nobody_is_none() -> None:
    with pytest.raises(UsageError, match="who approves"):
        release(case(), terms(), SECRET, Approval("  ", START))


def test_the_ledger_has_who_approved_what_with_the_bundles_hash() -> None:
    kept: list[tuple[str, str, dict[str, Any]]] = []

    def ledger(kind: str, subject: str, body: dict[str, Any]) -> int:
        kept.append((kind, subject, body))
        return 41

    done = release(case(), terms(), SECRET, Approval("R. Okafor", START), ledger)
    kind, subject, body = kept[0]
    assert (kind, subject, body["approved_by"]) == ("share", "C-b7c52a8e46", "R. Okafor")
    assert body["sha256"] == hashlib.sha256(done.text.encode()).hexdigest()
    assert done.receipt["ledger_entry"] == 41


def test_what_the_ledger_does_not_take_does_not_leave() -> None:
    def full(*_: object) -> int:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        release(case(), terms(), SECRET, Approval("R. Okafor", START), full)
