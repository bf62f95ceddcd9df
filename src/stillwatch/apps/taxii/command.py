"""`stillwatch taxii`: run the server, and look after its partners and collections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from stillwatch.apps.control.common import print_json, say
from stillwatch.apps.control.records import Ledger, recording
from stillwatch.model import InputRefused, MissingDependency, UsageError

REFUSED = 3  # exit status: some of what was given could not be taken
group = typer.Typer(no_args_is_help=True, help="Share campaigns with partners: a TAXII 2.1 server.")
partner = typer.Typer(no_args_is_help=True, help="Partners and their tokens.")
collection = typer.Typer(no_args_is_help=True, help="Collections.")
group.add_typer(partner, name="partner")
group.add_typer(collection, name="collection")

Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="The server's settings, in TOML.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print data as JSON instead of lines.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The partner's name.")]


@group.command()
def serve(config: Config, ledger: Ledger = None) -> None:
    """Serve the collections until told to stop."""
    with _packages():
        from stillwatch.apps.taxii.serve import serve as run
        from stillwatch.sharing.taxii.settings import read_settings
    settings = read_settings(config)
    scheme = "https" if settings.tls.certificate else "http"
    with recording(ledger, "collection", "stillwatch taxii serve") as note:
        say(f"serving {settings.base_url}/taxii2/ on {scheme}://{settings.listen}")
        run(settings, note)


@group.command()
def push(
    config: Config,
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A STIX bundle, or a TAXII envelope.")],
    into: Annotated[str, typer.Option("--collection", help="Where to: ROOT/ALIAS, or its id.", metavar="NAME")],
    as_json: AsJson = False,
) -> None:
    """Store a bundle's objects in a collection of this server. Nothing is sent anywhere."""
    with _server(config) as (settings, database, _key):
        from stillwatch.sharing.taxii.operating import push as store

        try:
            body = bundle.read_bytes()
        except OSError as error:
            raise InputRefused(f"{bundle}: cannot be read ({error.strerror}); name a STIX bundle") from None
        verdicts = store(database, settings.limits, into, body)
    refused = [each for each in verdicts if each.message]
    told = {"stored": len(verdicts) - len(refused), "refused": len(refused)}
    if as_json:
        print_json({**told, "reasons": [{"id": each.object_id, "reason": each.message} for each in refused]})
    else:
        print(f"{told['stored']} stored, {told['refused']} refused")
        for each in refused:
            say(f"{each.object_id}: {each.message}")
    if refused:
        raise typer.Exit(REFUSED)


@partner.command("add")
def partner_add(
    config: Config,
    name: Name,
    clearance: Annotated[
        str | None, typer.Option("--clearance", help="Highest TLP level that they see.", metavar="LEVEL")
    ] = None,
    read: Annotated[
        list[str] | None, typer.Option("--read", help="A collection they may read; may be repeated.", metavar="NAME")
    ] = None,
    write: Annotated[
        list[str] | None,
        typer.Option("--write", help="A collection they may post to; may be repeated.", metavar="NAME"),
    ] = None,
) -> None:
    """Give a partner a token and print it, this once."""
    with _server(config) as (_settings, database, key):
        from stillwatch.sharing.taxii.markings import LEVELS
        from stillwatch.sharing.taxii.operating import Grant, add_partner

        if clearance is None and (read or write):
            raise UsageError("--read and --write need --clearance: say how far the partner is cleared")
        if clearance is not None and clearance not in LEVELS:
            raise UsageError(f"--clearance {clearance}: say one of {', '.join(LEVELS)}")
        grant = None if clearance is None else Grant(clearance, read or (), write or ())
        print(add_partner(database, key, name, grant))
    say(f"this is the token of {name}; it is not shown again")


@partner.command("revoke")
def partner_revoke(
    config: Config,
    name: Name,
    token: Annotated[
        str | None, typer.Option("--token", help="Only the token listed under these letters.", metavar="LETTERS")
    ] = None,
) -> None:
    """Take a partner's tokens away, from this moment on."""
    with _server(config) as (_settings, database, _key):
        from stillwatch.sharing.taxii.operating import revoke_tokens

        gone = revoke_tokens(database, name, token)
    say(f"{gone} of {name}'s tokens revoked")


@partner.command("list")
def partner_list(config: Config, as_json: AsJson = False) -> None:
    """List partners, their clearance, their rights, and the first letters of their tokens."""
    with _server(config) as (_settings, database, _key), database.reading() as connection:
        from stillwatch.sharing.taxii.catalogue import all_collections
        from stillwatch.sharing.taxii.markings import NAMES
        from stillwatch.sharing.taxii.partners import list_partners

        names = {each.number: each.name for each in all_collections(connection)}
        rows = [
            {
                "name": each.name,
                "clearance": NAMES[each.clearance],
                "active": each.active,
                "read": [names[number] for number, right in each.rights.items() if right.can_read],
                "write": [names[number] for number, right in each.rights.items() if right.can_write],
                "tokens": list(each.tokens),
            }
            for each in list_partners(connection)
        ]
    _list(rows, as_json)


@collection.command("add")
def collection_add(
    config: Config,
    name: Annotated[str, typer.Argument(metavar="ROOT/ALIAS", help="Its API root, and what people call it.")],
    title: Annotated[str, typer.Option("--title", help="What it holds, in a few words.")],
    description: Annotated[str, typer.Option("--description", help="What it holds, in more words.")] = "",
    unmarked: Annotated[
        str, typer.Option("--unmarked", help="TLP level of objects that have none.", metavar="LEVEL")
    ] = "amber",
) -> None:
    """Make a collection, and print its id."""
    with _server(config) as (settings, database, _key):
        from stillwatch.sharing.taxii.operating import add_collection

        print(add_collection(database, settings, _wanted(name, title, description, unmarked)).id)


@collection.command("list")
def collection_list(config: Config, as_json: AsJson = False) -> None:
    """List collections and their ids."""
    with _server(config) as (_settings, database, _key), database.reading() as connection:
        from stillwatch.sharing.taxii.catalogue import all_collections
        from stillwatch.sharing.taxii.markings import NAMES

        rows = [
            {"name": each.name, "id": each.id, "title": each.title, "unmarked": NAMES[each.unmarked]}
            for each in all_collections(connection)
        ]
    _list(rows, as_json)


def _wanted(name: str, title: str, description: str, unmarked: str) -> Any:
    from pydantic import ValidationError

    from stillwatch.sharing.taxii.catalogue import Wanted
    from stillwatch.sharing.taxii.markings import LEVELS
    from stillwatch.sharing.taxii.settings import CollectionTable

    root, _, alias = name.partition("/")
    try:
        CollectionTable.model_validate({"root": root, "alias": alias, "title": title})
    except ValidationError:
        raise UsageError(f"collection {name}: say ROOT/ALIAS in the letters a-z, 0-9, - . and _") from None
    if unmarked not in LEVELS:
        raise UsageError(f"--unmarked {unmarked}: say one of {', '.join(LEVELS)}")
    return Wanted(root, alias, title, description, LEVELS[unmarked])


@contextmanager
def _server(config: Path) -> Iterator[tuple[Any, Any, bytes]]:
    """Settings, database and key; the database is closed in the end."""
    with _packages():
        from stillwatch.sharing.taxii.operating import open_server
        from stillwatch.sharing.taxii.settings import read_settings
    settings = read_settings(config)
    database, key = open_server(settings)
    try:
        yield settings, database, key
    finally:
        database.close()


@contextmanager
def _packages() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("stillwatch"):
            raise
        raise MissingDependency(f"the TAXII server needs {error.name}: pip install 'stillwatch[sharing]'") from None


def _list(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json(rows)
        return
    for row in rows:
        told = (", ".join(value) if isinstance(value, list) else str(value) for value in row.values())
        print("  ".join(each or "-" for each in told))
