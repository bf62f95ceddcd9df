"""`stillwatch answer-keys`: the keys that sign answers, made, rotated and revoked; and their public half."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillwatch.apps.control.common import AsJson, moment, print_json, print_table

if TYPE_CHECKING:
    from stillwatch.integrity.signing.keys import KeyRing

SECOND = 1_000_000  # µs
app = typer.Typer(no_args_is_help=True, help="The keys that sign answers, and what is published of them.")

Keys = Annotated[Path, typer.Argument(metavar="KEYS", help="The signer's file, which nobody else reads.")]


@app.command()
def new(
    keys: Keys,
    issuer: Annotated[
        str, typer.Option("--issuer", help="Your name, which clients know: such as api.example.com.", metavar="NAME")
    ],
    as_json: AsJson = False,
) -> None:
    """Make a file with one key. A file that is there is never replaced."""
    from stillwatch.integrity.signing.keys import new_ring, write_ring

    ring = new_ring(issuer, int(time.time()))
    write_ring(ring, keys, new=True)
    _print(ring, as_json)


@app.command()
def rotate(
    keys: Keys,
    begins_in: Annotated[
        int, typer.Option("--begins-in", help="Seconds until the new key signs: clients fetch it before.", min=0)
    ] = 3_600,
    overlap: Annotated[
        int, typer.Option("--overlap", help="Seconds after that until the older ones end.", min=0)
    ] = 86_400,
    as_json: AsJson = False,
) -> None:
    """Add a key that signs soon; older ones end after an overlap. A gateway that runs takes them at once."""
    from stillwatch.integrity.signing.keys import read_ring, write_ring
    from stillwatch.integrity.signing.keys import rotate as rotated

    ring = rotated(read_ring(keys), int(time.time()), begins_in, overlap)
    write_ring(ring, keys)
    _print(ring, as_json)


@app.command()
def revoke(
    keys: Keys,
    kid: Annotated[str, typer.Argument(metavar="KID", help="Of the key that is believed no longer.")],
    because: Annotated[str, typer.Option("--because", help="What clients are told.", metavar="WORDS")],
    as_json: AsJson = False,
) -> None:
    """Revoke a key: nothing that it ever signed is believed, for a thief can write any time into a record."""
    from stillwatch.integrity.signing.keys import read_ring, write_ring
    from stillwatch.integrity.signing.keys import revoke as revoked

    ring = revoked(read_ring(keys), kid, int(time.time()), because)
    write_ring(ring, keys)
    _print(ring, as_json)


@app.command()
def show(keys: Keys, as_json: AsJson = False) -> None:
    """List the keys; with --json the JWKS to publish, which holds no secret."""
    from stillwatch.integrity.signing.keys import read_ring

    _print(read_ring(keys), as_json)


def _print(ring: KeyRing, as_json: bool) -> None:
    if as_json:
        print_json(json.loads(json.dumps(ring.public().jwks())))
        return
    rows = [
        (each.kid, _at(each.not_before), _at(each.not_after), _at(each.revoked_at), each.revoked_because)
        for each in ring.public().keys.values()
    ]
    print_table((f"key of {ring.issuer}", "signs from (UTC)", "until", "revoked", "because"), rows)


def _at(seconds: int | None) -> str:
    return "" if seconds is None else moment(seconds * SECOND)
