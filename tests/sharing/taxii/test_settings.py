"""Settings are read once, and every mistake names its file, key and mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from stillwatch.model import UsageError
from stillwatch.sharing.taxii.settings import read_settings
from tests.sharing.taxii.made import settings_file


def test_reads_a_file_and_takes_its_paths_from_where_it_lies(tmp_path: Path) -> None:
    settings = read_settings(settings_file(tmp_path))
    assert settings.database_url == str(tmp_path / "taxii.db")
    assert settings.path(settings.token_key) == tmp_path / "taxii.key"
    assert (settings.host, settings.port) == ("127.0.0.1", 8443)
    assert settings.limits.content_length == 1_000_000


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('title = "Sharing group"', "", "title: is missing; add it"),
        ("[limits]", "[limits]\nspeed = 3", "limits.speed: is no setting"),
        ("objects = 2000", "objects = 0", "limits.objects: Input should be greater than"),
        ("objects = 2000", "status_hours = 3", "limits.status_hours: Input should be greater than or equal to 24"),
        ("https://taxii", "http://taxii", "base_url: is not https://HOST"),
        ("taxii.stillwatch.example", "taxii.stillwatch.example/path", "base_url: is not https://HOST"),
        ("127.0.0.1:8443", "127.0.0.1", "listen: is not HOST:PORT"),
        ("127.0.0.1:8443", "0.0.0.0:8443", "open to the network without TLS"),
        ('default_root = "hub"', 'default_root = "other"', "default_root other is no"),
        ('name = "closed"', 'name = "taxii2"', "root.1.name: taxii2 is the standard's own path"),
        ('name = "closed"', 'name = "Closed!"', "root.1.name: has letters"),
        ('name = "closed"', 'name = "hub"', "root hub stands there twice"),
        ('root = "closed"', 'root = "open"', "collection own: root open is no"),
        ('alias = "inbox"', 'alias = "campaigns"', "collection hub/campaigns stands there twice"),
        ('id = "1', 'id = "x', "collection.0.id: is not a UUID of version 4"),
        ('unmarked = "green"', 'unmarked = "white"', "collection.1.unmarked: Input should be 'clear'"),
        ('clearance = "red"', 'clearance = "top"', "partner.0.clearance: Input should be 'clear'"),
        ('read = ["closed/own"]', 'read = ["own"]', "partner stranger: own is not ROOT/ALIAS"),
        ('name = "south"', 'name = "north"', "partner north stands there twice"),
        ("[limits]", '[tls]\ncertificate = "a.pem"\n[limits]', "tls: certificate and key belong together"),
        ("[limits]", "[limits", "is not TOML"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_file_key_and_mend(tmp_path: Path, old: str, new: str, told: str) -> None:
    file = settings_file(tmp_path)
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(UsageError) as refused:
        read_settings(file)
    assert told in str(refused.value)
    assert str(file) in str(refused.value)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_settings(tmp_path / "none.toml")


def test_the_network_is_served_behind_a_proxy_when_told_so(tmp_path: Path) -> None:
    file = settings_file(tmp_path)
    text = (
        file.read_text()
        .replace("127.0.0.1:8443", "0.0.0.0:8443")
        .replace("[limits]", "[tls]\nbehind_proxy = true\n[limits]")
    )
    file.write_text(text)
    assert read_settings(file).host == "0.0.0.0"


def test_a_password_in_a_url_is_never_printed(tmp_path: Path) -> None:
    from stillwatch.sharing.taxii.operating import open_server

    file = settings_file(tmp_path, database="postgresql://keeper:sesame@127.0.0.1:1/none")
    with pytest.raises(UsageError) as refused:
        open_server(read_settings(file))
    assert "sesame" not in str(refused.value)
    assert "cannot be opened" in str(refused.value)


@pytest.mark.parametrize("place", ["mysql://host/name", "://"])
def test_another_database_is_refused(tmp_path: Path, place: str) -> None:
    from stillwatch.sharing.taxii.operating import open_server

    with pytest.raises(UsageError, match="database"):
        open_server(read_settings(settings_file(tmp_path, database=place)))


def test_a_database_of_another_layout_is_refused(tmp_path: Path) -> None:
    import sqlalchemy as sa

    from stillwatch.sharing.taxii.database import open_database
    from stillwatch.sharing.taxii.tables import schema

    database = open_database(str(tmp_path / "taxii.db"))
    with database.writing() as connection:
        connection.execute(sa.update(schema).values(version=99))
    database.close()
    with pytest.raises(UsageError, match="layout 99"):
        open_database(str(tmp_path / "taxii.db"))
