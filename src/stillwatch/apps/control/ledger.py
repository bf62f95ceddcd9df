"""`stillwatch ledger`: who concluded and did what, and the proof that nobody rewrote it."""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from stillwatch.apps.control.common import (
    AsJson,
    Database,
    moment,
    opened,
    print_json,
    print_table,
    printable,
    read_file,
    say,
)
from stillwatch.model import InputRefused, UsageError

if TYPE_CHECKING:
    from stillwatch.store.ledger.notes import PublicKey, SigningKey

MOST = 20  # faults that are printed for a person; --json has all

app = typer.Typer(no_args_is_help=True, help="Who concluded and did what, and the proof that nobody rewrote it.")

Checkpoint = Annotated[
    Path | None, typer.Option("--checkpoint", help="Signed note that was kept elsewhere.", metavar="FILE")
]


@app.command()
def verify(
    database: Database = None,
    checkpoint: Checkpoint = None,
    proof: Annotated[
        Path | None, typer.Option("--proof", help="Check this proof file alone, without a database.", metavar="FILE")
    ] = None,
    public_key: Annotated[
        str | None, typer.Option("--public-key", help="The log's public key, or a file with it.", metavar="KEY")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Recompute the whole log and say where it was touched; or check a proof file. Exit status 1: it does not hold."""
    key = None if public_key is None else _public_key(public_key)
    note = None if checkpoint is None else read_file("--checkpoint", checkpoint)
    if proof is not None:
        _verify_proof(read_file("--proof", proof), key, note, as_json)
    else:
        _verify_log(database, key, note, as_json)


@app.command()
def checkpoint(
    database: Database = None,
    key: Annotated[
        Path | None,
        typer.Option("--key", help="File of the signing key; before STILLWATCH_LEDGER_KEY.", metavar="FILE"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print a signed note over the log as it is: keep it where nobody who writes to the database can."""
    from stillwatch.store.ledger.notes import read_checkpoint

    signer = _signing_key(key)
    with opened(database) as store:
        from stillwatch.store import proving

        note = proving.checkpoint(store, signer)
    told = read_checkpoint(note, signer.public)
    if as_json:
        print_json({"origin": told.origin, "size": told.size, "root": told.root.hex(), "note": note})
    else:
        print(note, end="")


@app.command()
def prove(
    index: Annotated[int | None, typer.Argument(metavar="[INDEX]", help="Of the entry; the first is 0.")] = None,
    since: Annotated[
        Path | None,
        typer.Option("--since", help="Prove that the log grew from this checkpoint instead.", metavar="FILE"),
    ] = None,
    checkpoint: Checkpoint = None,
    database: Database = None,
    as_json: Annotated[bool, typer.Option("--json", help="A proof is JSON with and without it.")] = False,
) -> None:
    """Print the proof that an entry is in the log of a checkpoint, for someone who has no database."""
    del as_json
    if (index is None) == (since is None):
        raise UsageError("say which entry to prove, or by --since from which checkpoint on the log grew")
    note = None if checkpoint is None else read_file("--checkpoint", checkpoint)
    old = None if since is None else read_file("--since", since)
    with opened(database) as store:
        from stillwatch.store.proving import prove_entry, prove_growth

        if old is not None:
            print_json(prove_growth(store, old, note))
        elif index is not None:
            print_json(prove_entry(store, index, note))
    if note is None:
        say("the proof names no checkpoint: give one by --checkpoint here, or to whoever verifies it")


@app.command()
def show(
    database: Database = None,
    kind: Annotated[str | None, typer.Option("--kind", help="Only entries of this kind.", metavar="KIND")] = None,
    subject: Annotated[
        str | None, typer.Option("--subject", help="Only entries about this account, campaign or policy.", metavar="ID")
    ] = None,
    start: Annotated[int, typer.Option("--from", help="Index of the first entry to print.", metavar="INDEX")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each entry.")] = False,
) -> None:
    """Print the entries in their order."""
    from stillwatch.store.ledger.entries import EntryKind

    if kind is not None and kind not in set(EntryKind):
        raise UsageError(f"--kind {kind}: expected one of {', '.join(EntryKind)}")
    with opened(database) as store:
        from stillwatch.store.database import reading
        from stillwatch.store.log import lines

        with reading(store) as connection:
            found = lines(connection, kind=kind, subject=subject, start=start)
            if as_json:
                for each in found:
                    print_json({"index": each.index, "entry": _parsed(each.text)}, lines=True)
            else:
                rows = [(each.index, *_cells(_parsed(each.text))) for each in found]
                print_table(("index", "when (UTC)", "what", "about", "by", "details"), rows)


@app.command("key")
def make(
    name: Annotated[
        str, typer.Option("--name", help="The log's name: a domain and path of yours, no scheme.", metavar="NAME")
    ],
    out: Annotated[Path, typer.Option("--out", help="File for the signing key; never replaced.", metavar="FILE")],
    as_json: AsJson = False,
) -> None:
    """Make the key that signs checkpoints, and print its public half."""
    from stillwatch.store.ledger.notes import make_key

    key = make_key(name, secrets.token_bytes(32))
    public = str(key.public)
    try:
        handle = os.open(out, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError as error:
        raise UsageError(f"--out {out}: {error.strerror}; a key is never replaced") from None
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(key.written() + "\n")
    if as_json:
        print_json({"key": str(out), "public_key": public})
    else:
        print(public)


def _verify_proof(text: str, key: PublicKey | None, note: str | None, as_json: bool) -> None:
    from stillwatch.store.ledger.files import check_file
    from stillwatch.store.ledger.notes import NotVouched

    try:
        found = check_file(text, key, note)
    except NotVouched as error:
        _refuse(error, as_json)
    if as_json:
        print_json({**dataclasses.asdict(found), "signature": _signature(key)})
    else:
        print(f"{'holds' if found.holds else 'does not hold'}: {found.what}; signature {_signature(key)}")
        if found.holds and found.entry is not None:
            print_json(found.entry)
    if not found.holds:
        raise typer.Exit(1)


def _verify_log(database: str | None, key: PublicKey | None, note: str | None, as_json: bool) -> None:
    from stillwatch.store.ledger.notes import NotVouched, read_checkpoint

    try:
        told = None if note is None else read_checkpoint(note, key)
    except NotVouched as error:
        _refuse(error, as_json)
    with opened(database) as store:
        from stillwatch.store.audit import audit

        found = audit(store, told)
    faults = [dataclasses.asdict(each) for each in found.faults]
    if as_json:
        checked = None if told is None else {"size": told.size, "signature": _signature(key)}
        head = {"holds": not faults, "size": found.size, "root": found.root.hex()}
        print_json({**head, "checkpoint": checked, "faults": faults})
    else:
        for each in faults[:MOST]:
            where = "the log" if each["index"] is None else f"entry {each['index']}"
            print(f"{where}: {printable(each['what'])}")
        if len(faults) > MOST:
            print(f"… and {len(faults) - MOST} more; --json prints all")
        print(f"{found.size} entries {'do not hold' if faults else 'hold'}, root {found.root.hex()}")
        if told is not None and not faults:
            print(f"the first {told.size} are those of the checkpoint; signature {_signature(key)}")
    if faults:
        raise typer.Exit(1)


def _refuse(error: InputRefused, as_json: bool) -> NoReturn:
    """A checkpoint that nobody vouches for is what is looked for here, not a file of the wrong kind."""
    if as_json:
        print_json({"holds": False, "what": str(error)})
    else:
        print(f"does not hold: {error}")
    raise typer.Exit(1) from None


def _signature(key: PublicKey | None) -> str:
    return "not checked: no --public-key was given" if key is None else f"checked: {key.name}"


def _public_key(told: str) -> PublicKey:
    from stillwatch.store.ledger.notes import read_public_key

    return read_public_key(told if "+" in told else read_file("--public-key", Path(told)))


def _signing_key(path: Path | None) -> SigningKey:
    from stillwatch.store.ledger.notes import read_signing_key

    named = path or (Path(os.environ["STILLWATCH_LEDGER_KEY"]) if os.environ.get("STILLWATCH_LEDGER_KEY") else None)
    if named is None:
        raise UsageError("a checkpoint needs a key: make one by `stillwatch ledger key`, and name its file by --key")
    return read_signing_key(read_file("--key", named))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _cells(entry: Any) -> tuple[object, ...]:
    try:
        subject = f"{entry['subject']['type']} {entry['subject']['id']}"
        details = ", ".join(f"{name}={_short(value)}" for name, value in entry["content"].items())
        return moment(entry["at"]), entry["kind"], subject, entry["by"], details
    except (KeyError, TypeError, AttributeError):
        return "", "unreadable", "", "", ""


def _short(value: object) -> str:
    if isinstance(value, list):
        return f"{len(value):,}"
    text = str(value)
    return text if len(text) <= 60 else text[:59] + "…"
