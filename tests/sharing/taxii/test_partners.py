"""Partners are known by their tokens, which nobody can read again."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest
import sqlalchemy as sa

from stillwatch.model import InputRefused, UsageError
from stillwatch.sharing.taxii.catalogue import Wanted, all_collections
from stillwatch.sharing.taxii.database import Database
from stillwatch.sharing.taxii.operating import Grant, add_collection, add_partner, open_server, push, revoke_tokens
from stillwatch.sharing.taxii.partners import list_partners, read_key
from stillwatch.sharing.taxii.settings import read_settings
from stillwatch.sharing.taxii.words import Refusal
from tests.sharing.taxii.made import Seat, envelope, service, settings_file, stix


def basic(name: str, token: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{token}".encode()).decode()


def test_a_token_is_taken_as_basic_and_as_bearer(tmp_path: Path) -> None:
    with service(tmp_path) as (taxii, tokens):
        assert taxii.who(basic("north", tokens["north"])).name == "north"
        assert taxii.who("bearer " + tokens["south"]).name == "south"


def test_what_is_no_token_is_refused(tmp_path: Path) -> None:
    with service(tmp_path) as (taxii, tokens):
        token = tokens["north"]
        wrong = [None, "", "Basic", "Bearer", "Bearer x", "Digest " + token, "Basic !!!", "Basic " + "A" * 5_000]
        wrong += [basic("south", token), basic("north", "x"), basic("north", ""), basic("", token), "Bearer \udcff"]
        wrong += ["Basic " + base64.b64encode(b"\xff\xfe:x").decode(), "Bearer " + token + "x", token]
        for header in wrong:
            with pytest.raises(Refusal) as refused:
                taxii.who(header)
            assert refused.value.status == 401


def test_neither_tokens_nor_their_plain_hashes_are_stored(tmp_path: Path) -> None:
    import hashlib

    with service(tmp_path) as (_, tokens):
        pass
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for token in tokens.values():
        assert token.encode() not in stored
        assert hashlib.sha256(token.encode()).hexdigest().encode() not in stored


def test_the_key_of_hashes_is_made_once_and_is_its_owners(tmp_path: Path) -> None:
    key = read_key(tmp_path / "key")
    assert len(key) == 32
    assert read_key(tmp_path / "key") == key
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_a_key_that_is_damaged_or_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("short")
    with pytest.raises(UsageError, match="restore it"):
        read_key(tmp_path / "key")
    with pytest.raises(UsageError, match="cannot be made"):
        read_key(tmp_path / "none" / "key")


def test_another_key_knows_no_token(tmp_path: Path) -> None:
    with service(tmp_path) as (taxii, tokens):
        (tmp_path / "taxii.key").unlink()
        database, key = open_server(taxii.settings)
        database.close()
        assert key != taxii.key
        object.__setattr__(taxii, "key", key)
        with pytest.raises(Refusal):
            taxii.who("Bearer " + tokens["north"])


def test_revoking_takes_effect_at_once_for_all_or_for_one(tmp_path: Path) -> None:
    with service(tmp_path) as (taxii, tokens):
        second = add_partner(taxii.database, taxii.key, "north", None)
        assert revoke_tokens(taxii.database, "north", second[4:10]) == 1
        assert taxii.who("Bearer " + tokens["north"]).name == "north"
        with pytest.raises(Refusal):
            taxii.who("Bearer " + second)
        assert revoke_tokens(taxii.database, "north", None) == 1
        with pytest.raises(Refusal):
            taxii.who("Bearer " + tokens["north"])
        with pytest.raises(UsageError, match="no such token"):
            revoke_tokens(taxii.database, "north", None)


def test_a_partner_added_by_command_has_the_rights_of_the_command(tmp_path: Path) -> None:
    with service(tmp_path) as (taxii, _):
        token = add_partner(taxii.database, taxii.key, "west", Grant("amber", ["hub/inbox"], ["hub/inbox"]))
        Seat(taxii, token).post(stix(mark="amber"))
        assert len(Seat(taxii, token).objects()) == 1
        with taxii.database.reading() as connection:
            listed = {each.name: each for each in list_partners(connection)}
        assert listed["west"].tokens == (token[4:10],)
        assert not listed["west"].declared
        add_partner(taxii.database, taxii.key, "west", Grant("clear", ["hub/inbox"], []))
        assert Seat(taxii, token).objects() == []
        with pytest.raises(Refusal, match="may not write"):
            Seat(taxii, token).post(stix())


def test_rights_of_a_declared_partner_are_changed_in_the_file_alone(tmp_path: Path) -> None:
    with service(tmp_path) as (taxii, tokens):
        with pytest.raises(UsageError, match="change them there"):
            add_partner(taxii.database, taxii.key, "south", Grant("red", [], []))
        with pytest.raises(UsageError, match="not known"):
            add_partner(taxii.database, taxii.key, "nobody", None)
        with pytest.raises(UsageError, match="collection hub/none is not there"):
            add_partner(taxii.database, taxii.key, "west", Grant("red", ["hub/none"], []))
    file = settings_file(tmp_path)
    text = file.read_text().replace('name = "south"\nclearance = "green"', 'name = "south"\nclearance = "red"')
    text = text.replace('[[partner]]\nname = "stranger"\nclearance = "red"\nread = ["closed/own"]\n', "")
    file.write_text(text)
    from stillwatch.sharing.taxii.service import Taxii

    database, key = open_server(read_settings(file))
    taxii = Taxii(database, read_settings(file), key)
    assert taxii.who("Bearer " + tokens["south"]).clearance == 4
    with pytest.raises(Refusal):
        taxii.who("Bearer " + tokens["stranger"])  # no longer in the file
    database.close()


def test_a_collection_keeps_its_id_and_may_be_added(tmp_path: Path) -> None:
    with service(tmp_path) as (taxii, _):
        with taxii.database.reading() as connection:
            before = {each.name: each.id for each in all_collections(connection)}
        made = add_collection(taxii.database, taxii.settings, Wanted("hub", "more", "More"))
        assert made.id[14] == "4"
        with pytest.raises(UsageError, match="there already"):
            add_collection(taxii.database, taxii.settings, Wanted("hub", "more", "More"))
        with pytest.raises(UsageError, match="is no "):
            add_collection(taxii.database, taxii.settings, Wanted("none", "more", "More"))
    with service(tmp_path) as (taxii, _), taxii.database.reading() as connection:
        after = {each.name: each.id for each in all_collections(connection)}
    assert after == {**before, "hub/more": made.id}


def test_a_bundle_is_pushed_without_a_partner(tmp_path: Path) -> None:
    with service(tmp_path) as (taxii, tokens):
        verdicts = push(taxii.database, taxii.settings.limits, "hub/inbox", envelope(stix(), {"broken": True}))
        assert sorted(bool(each.message) for each in verdicts) == [False, True]
        assert len(Seat(taxii, tokens["north"]).objects()) == 1
        with pytest.raises(InputRefused, match="give a STIX bundle"):
            push(taxii.database, taxii.settings.limits, "hub/inbox", b"nope")
        with pytest.raises(UsageError, match="is not there"):
            push(taxii.database, taxii.settings.limits, "hub/none", envelope())


def test_errors_of_the_database_quote_no_object(tmp_path: Path) -> None:
    from stillwatch.sharing.taxii.tables import objects

    row = objects.insert().values(seq=1, object_id="indicator--secret")
    with service(tmp_path) as (taxii, _), pytest.raises(sa.exc.IntegrityError) as failed:
        _write(taxii.database, row)
    assert "indicator--secret" not in str(failed.value)


def _write(database: Database, row: sa.Insert) -> None:
    with database.writing() as connection:
        connection.execute(row)
