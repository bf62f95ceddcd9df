"""`stillwatch verify-answer`: was this really answered, by whom, with which model, to which request, and whole?"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stillwatch.apps.control.common import moment, print_json, read_file
from stillwatch.model import InputRefused, UsageError

if TYPE_CHECKING:
    from stillwatch.integrity.signing.checking import Check

NOT_GENUINE = 1


def verify_answer(
    answers: Annotated[
        list[Path], typer.Argument(metavar="ANSWER...", help="Files of an answer's body: JSON, or a stream's events.")
    ],
    keys: Annotated[str, typer.Option("--keys", help="File or URL of the signer's published keys.", metavar="KEYS")],
    request: Annotated[
        Path | None, typer.Option("--request", help="File of the request's body that it answers.", metavar="FILE")
    ] = None,
    issuer: Annotated[
        str, typer.Option("--issuer", help="Who must have signed; who the keys name, unless said.", metavar="NAME")
    ] = "",
    alias: Annotated[
        list[str] | None,
        typer.Option("--alias", help="A reseller's name for a model; may be repeated.", metavar="THEIRS=MODEL"),
    ] = None,
    max_age: Annotated[
        float | None, typer.Option("--max-age", help="Seconds that it may be old; any age unless said.", min=0)
    ] = None,
    seen: Annotated[
        Path | None,
        typer.Option("--seen", help="File of nonces that came before; new ones are added.", metavar="FILE"),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="The request's settings, such as its temperature, must be the same too.")
    ] = False,
    proof: Annotated[
        Path | None,
        typer.Option("--proof", help="Proof that its receipt is in the signer's ledger.", metavar="FILE"),
    ] = None,
    public_key: Annotated[
        str | None,
        typer.Option("--public-key", help="The ledger's public key, or a file with it; for --proof.", metavar="KEY"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print data as JSON instead of words.")] = False,
) -> None:
    """Say whether answers are what their signer said, and name what is wrong. Exit status 1: not all of them are."""
    from stillwatch.integrity.signing.checking import Checker, Expected, Rules
    from stillwatch.integrity.signing.client import load_keys
    from stillwatch.integrity.signing.received import receive

    now = None if max_age is None else lambda: time.time_ns() // 1_000
    rules = Rules(now=now, max_age=max_age or 0.0, aliases=_aliases(alias), strict=strict, issuer=issuer)
    memory = _Memory(seen)
    checker = Checker(load_keys(keys), rules, memory.held)
    expected = Expected(None if request is None else _object(request))
    found = []
    for path in answers:
        check = checker.check(receive(_bytes(path)), expected)
        if proof is not None:
            check = _proven(check, read_file("--proof", proof), public_key)
        found.append((path, check))
        memory.note(check)
    memory.write()
    _print(found, as_json)
    if not all(check.genuine for _, check in found):
        raise typer.Exit(NOT_GENUINE)


class _Memory:
    """Nonces that came before, in a file: an issuer and a nonce a line."""

    def __init__(self, path: Path | None) -> None:
        from stillwatch.integrity.signing.replay import Seen

        self._path, self._new = path, list[str]()
        self.held = None if path is None else Seen(1 << 62)
        if path is not None and self.held is not None and path.exists():
            for line in read_file("--seen", path).splitlines():
                issuer, _, nonce = line.rpartition(" ")
                self.held.first(issuer, nonce)

    def note(self, check: Check) -> None:
        if check.genuine and check.record is not None:
            self._new.append(f"{check.record['issuer']} {check.record['nonce']}\n")

    def write(self) -> None:
        if self._path is None or not self._new:
            return
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.writelines(self._new)
        except OSError as error:
            raise UsageError(f"--seen {self._path}: {error.strerror}") from None


def _proven(check: Check, proof: str, public_key: str | None) -> Check:
    """The check, and that the ledger has this very receipt. Without it, what is genuine is no longer."""
    from dataclasses import replace

    from stillwatch.integrity.signing.checking import Fault, Problem

    why = _why_not_proven(check, proof, public_key)
    if not why:
        return replace(check, notes=(*check.notes, "its receipt is in the ledger"))
    return replace(check, problems=(*check.problems, Problem(Fault.NOT_IN_LEDGER, why)))


def _why_not_proven(check: Check, proof: str, public_key: str | None) -> str:
    from stillwatch.integrity.signing.canonical import digest
    from stillwatch.store.ledger.files import check_file
    from stillwatch.store.ledger.notes import NotVouched, read_public_key

    if public_key is None:
        raise UsageError("--proof is worth as much as its checkpoint: give the ledger's key by --public-key")
    key = read_public_key(public_key if "+" in public_key else read_file("--public-key", Path(public_key)))
    try:
        found = check_file(proof, key)
    except NotVouched as error:
        return str(error)
    if not found.holds:
        return found.what
    content = found.entry.get("content") if isinstance(found.entry, dict) else None
    told = content.get("digest") if isinstance(content, dict) else None
    if check.receipt is None or told != digest(check.receipt.text()):
        return "the proof is of another entry"
    return ""


def _print(found: list[tuple[Path, Check]], as_json: bool) -> None:
    if as_json:
        print_json([_told(path, check) for path, check in found])
        return
    for path, check in found:
        record = check.record
        signed = (
            f", signed by {record['issuer']} at {moment(record['at'])} UTC with {record['model']}"
            if record and check.genuine
            else ""
        )
        print(f"{path}: {check.result}{signed}")
        for each in check.problems:
            print(f"  {each.fault}: {each.because}")
        for note in check.notes:
            print(f"  note: {note}")


def _told(path: Path, check: Check) -> dict[str, Any]:
    problems = [{"fault": each.fault.value, "because": each.because} for each in check.problems]
    return {"file": str(path), "result": check.result, "genuine": check.genuine, "problems": problems,
            "notes": list(check.notes), "record": check.record}  # fmt: skip


def _aliases(pairs: list[str] | None) -> dict[str, str]:
    made = {}
    for pair in pairs or ():
        theirs, separator, ours = pair.rpartition("=")
        if not (separator and theirs and ours):
            raise UsageError(f"--alias {pair}: expected THEIRS=MODEL, such as --alias fast=opal-4")
        made[theirs] = ours
    return made


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


def _object(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(_bytes(path))
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise InputRefused(f"--request {path}: is no JSON object; give the body of the request")
    return told
