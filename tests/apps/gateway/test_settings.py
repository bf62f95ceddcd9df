"""`gateway.toml`: what is wrong in it is said with its place and its mend, before anything is served."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from typer.testing import CliRunner

from stillwatch.apps.gateway import settings
from stillwatch.apps.gateway.app import Gateway
from stillwatch.apps.gateway.bare import AllowAll, KeepNothing, bare_parts
from stillwatch.apps.gateway.settings import Config, load_config
from stillwatch.model import UsageError
from tests.apps.gateway.running import write_config

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "gateway.md"
UPSTREAM = "http://127.0.0.1:9"


def wrong(folder: Path, more: str = "", upstream_more: str = "") -> str:
    path = write_config(folder, UPSTREAM, more, upstream_more)
    with pytest.raises(UsageError) as raised:
        Gateway(load_config(path), bare_parts(AllowAll(), KeepNothing(), lambda key, now: None))
    return str(raised.value)


def test_paths_count_from_the_folder_of_the_file(tmp_path: Path) -> None:
    config = load_config(write_config(tmp_path, UPSTREAM, 'policy = "/etc/policy.yaml"'))
    assert (config.data, config.policy) == (tmp_path / "data", Path("/etc/policy.yaml"))
    assert config.upstreams[0].key is not None
    assert config.upstreams[0].key.file == tmp_path / "provider"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("worker = 2", "worker: no such key"),
        ("workers = 0", "workers: Input should be greater than or equal to 1"),
        ('listen = "8080"', "listen: expected HOST:PORT"),
        ('[recording]\ntext = "all"', "recording.text: Input should be 'sketch' or 'keep'"),
        ("[limits]\nrequest_bites = 5", "limits.request_bites: no such key"),
        ("[timeouts]\nidle = -1", "timeouts.idle: Input should be greater than 0"),
        ('[authentication]\nkind = "signed-header"', "authentication: [authentication.signed_header] belongs to kind"),
        ('[authentication]\nkind = "pass-through"', "upstream main has a key"),
        (
            '[authentication]\ntrusted_proxies = ["10.0.0.1/8"]',
            "authentication.trusted_proxies: 10.0.0.1/8 has host bits set",
        ),
        ("[admin]\ntokens = []", "admin.tokens: Tuple should have at least 1 item"),
        ('[[admin.tokens]]\nname = "a"\ntoken = {}', "admin.tokens.0.token: name one place"),
    ],
)
def test_an_error_names_file_key_and_mend(tmp_path: Path, more: str, told: str) -> None:
    assert f"{tmp_path / 'gateway.toml'}: {told}" in wrong(tmp_path, more).replace("the file: upstream", "upstream")


@pytest.mark.parametrize(
    ("upstream_more", "told"),
    [
        ('key = { env = "NOT_SET_ANYWHERE" }', "environment variable NOT_SET_ANYWHERE: holds no key for upstream main"),
        ('key = { file = "absent" }', "absent: key for upstream main cannot be read"),
        ('key = "sk-in-the-file"', "upstreams.0.key"),
        ('ca_file = "secret"', "secret: holds no certificates"),
    ],
)
def test_a_secret_that_is_not_there_is_said_without_it(tmp_path: Path, upstream_more: str, told: str) -> None:
    said = wrong(tmp_path, "", upstream_more)
    assert told in said
    assert "sk-in-the-file" not in said


def test_what_is_no_file_or_no_toml_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_config(tmp_path / "absent.toml")
    (tmp_path / "gateway.toml").write_text("data = ")
    with pytest.raises(UsageError, match="is not TOML"):
        load_config(tmp_path / "gateway.toml")


def tables(model: type[BaseModel], name: str = "") -> dict[str, type[BaseModel]]:
    """Every table of the file by its heading on the page."""
    found = {name or "The whole file": model}
    for key, field in model.model_fields.items():
        kinds = [field.annotation, *get_args(field.annotation)]
        kinds += [inner for kind in kinds for inner in get_args(kind)]
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel) and kind is not settings.Secret:
                found |= tables(kind, f"{name}.{key}".strip("."))
    return found


@pytest.mark.parametrize(
    ("title", "model"), tables(Config).items(), ids=lambda each: each if isinstance(each, str) else ""
)
def test_every_setting_is_documented_as_it_is_and_no_other(title: str, model: type[BaseModel]) -> None:
    text = PAGE.read_text(encoding="utf-8")
    heading = title if title == "The whole file" else f"`[{title}]`"
    section = re.split(r"^## ", text.split(f"## {heading}\n", 1)[1], maxsplit=1, flags=re.M)[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{key}` | {default(field)} | {field.description} |" for key, field in model.model_fields.items()
    ]


def default(field: Any) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is None or value == "" or value == () or value == {}:
        return ""
    if isinstance(value, BaseModel):
        return ""
    if isinstance(value, tuple):
        return f"`{list(value)}`"
    if isinstance(value, dict):
        return "the same names"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def test_the_command_checks_a_configuration_and_says_what_is_wrong(tmp_path: Path) -> None:
    import typer

    from stillwatch.apps.gateway.command import gateway

    app = typer.Typer()
    app.command()(gateway)
    told = CliRunner().invoke(app, [str(write_config(tmp_path, UPSTREAM, "worker = 1")), "--check"])
    assert isinstance(told.exception, UsageError)
    assert "no such key" in str(told.exception)
