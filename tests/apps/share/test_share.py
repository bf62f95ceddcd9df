"""`stillwatch share` from end to end: a run, its log, a preview, a bundle, and what others make of it."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

import stillwatch as sw
from stillwatch.apps.cli import app
from stillwatch.model import StillwatchError
from stillwatch.store.database import open_store, reading
from stillwatch.store.ledger.entries import Record
from stillwatch.store.log import line

pytest.importorskip("stix2validator", reason="needs stix2-validator: pip install 'stillwatch[sharing]'")
TERMS = """
[producer]
name = "Provider A"
[[partner]]
name = "provider-b"
tlp = "amber+strict"
include = ["accounts", "user-agent"]
"""


def share(*words: object) -> Result:
    result = CliRunner().invoke(app, ["share", *map(str, words)])
    if isinstance(result.exception, StillwatchError):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def place(small_traffic: Path, small_run: sw.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run, what was gathered from its log, and terms."""
    folder = tmp_path_factory.mktemp("share")
    log, accounts, licences = (str(small_traffic / name) for name in
                               ("exchanges.parquet", "accounts.parquet", "licences.csv"))  # fmt: skip
    sw.write_run(small_run, folder / "run")
    (folder / "terms.toml").write_text(TERMS, encoding="utf-8")
    share("gather", log, "--run", folder / "run", "--accounts", accounts, "--licences", licences,
          "--out", folder / "gathered.json")  # fmt: skip
    return folder


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLWATCH_SECRET", "a secret of the deployment")


def campaigns(place: Path) -> list[dict[str, Any]]:
    told = json.loads((place / "run" / "campaigns.json").read_text(encoding="utf-8"))
    return [one for one in told if one["verdict"] == "distillation" and one["accounts"] >= 10][:3]


def exported(place: Path, campaign: str) -> dict[str, Any]:
    out = place / f"{campaign}.json"
    if not out.exists():
        share("export", place / "run", campaign, "--gathered", place / "gathered.json", "--terms", place / "terms.toml",
              "--partner", "provider-b", "--approve", "--by", "R. Okafor", "--out", out)  # fmt: skip
    told: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return told


def test_what_was_gathered_is_private_and_has_templates_and_addresses(place: Path) -> None:
    path = place / "gathered.json"
    assert path.stat().st_mode & 0o777 == 0o600
    told = json.loads(path.read_text(encoding="utf-8"))["campaigns"]
    kinds = {row["kind"] for rows in told.values() for row in rows}
    assert {"address", "client", "user-agent", "template"} <= kinds


def test_campaigns_of_the_run_are_exported_and_valid(place: Path) -> None:
    for one in campaigns(place):
        exported(place, one["campaign_id"])
        assert share("validate", place / f"{one['campaign_id']}.json").exit_code == 0


def test_no_account_no_prompt_and_no_local_name_is_in_a_bundle(place: Path, small_traffic: Path) -> None:
    accounts = set(pq.read_table(small_traffic / "accounts.parquet")["account_id"].to_pylist())
    prompts = pq.read_table(small_traffic / "exchanges.parquet", columns=["prompt"])["prompt"].to_pylist()
    phrases = {" ".join(prompt.split()[:4]) for prompt in prompts if prompt and len(prompt.split()) > 8}
    for one in campaigns(place):
        text = json.dumps(exported(place, one["campaign_id"]), ensure_ascii=False)
        words = set(re.findall(r"[\w-]+", text))
        assert not words & accounts
        assert one["campaign_id"] not in text
        assert not [phrase for phrase in phrases if phrase in text]


def test_a_bundles_templates_are_found_in_the_log_among_the_campaigns_accounts(
    place: Path, small_traffic: Path
) -> None:
    found = 0
    for one in campaigns(place):
        exported(place, one["campaign_id"])
        told = share("match", place / f"{one['campaign_id']}.json", small_traffic / "exchanges.parquet", "--json")
        for row in json.loads(told.stdout):
            found += 1
            assert row["accounts"] <= one["accounts"] * 1.05 + 1
            assert row["exchanges"] > 0
    assert found


def test_the_preview_says_what_leaves_and_what_stays(place: Path) -> None:
    name = campaigns(place)[0]["campaign_id"]
    told = share("preview", place / "run", name, "--gathered", place / "gathered.json").stdout
    assert "TLP:AMBER" in told
    assert "user-agent: " in told.partition("stays:")[2]
    assert name not in told
    plain = json.loads(share("preview", place / "run", name, "--json").stdout)
    assert plain["accounts_at_least"]


def test_a_publication_at_clear_has_no_indicator(place: Path) -> None:
    name = campaigns(place)[0]["campaign_id"]
    out = place / "clear.json"
    share("export", place / "run", name, "--gathered", place / "gathered.json", "--terms", place / "terms.toml",
          "--approve", "--by", "R. Okafor", "--out", out)  # fmt: skip
    kinds = {one["type"] for one in json.loads(out.read_text(encoding="utf-8"))["objects"]}
    assert "attack-pattern" in kinds
    assert not kinds & {"indicator", "observed-data", "user-account", "infrastructure"}


def test_nothing_is_exported_unread_or_unsigned(place: Path) -> None:
    name, out = campaigns(place)[0]["campaign_id"], place / "unread.json"
    common = ("export", place / "run", name, "--terms", place / "terms.toml", "--out", out)
    for words in ((), ("--approve",), ("--by", "R. Okafor")):
        with pytest.raises(sw.UsageError, match="nothing leaves unread"):
            share(*common, *words)
    assert not out.exists()


def test_the_receipt_has_who_approved_and_the_bundles_hash(place: Path) -> None:
    name = campaigns(place)[0]["campaign_id"]
    exported(place, name)
    receipt = json.loads((place / f"{name}.json.receipt.json").read_text(encoding="utf-8"))
    assert receipt["approved_by"] == "R. Okafor"
    assert receipt["partner"] == "provider-b"
    assert receipt["ledger_entry"] is None


def test_the_ledger_has_the_release_before_the_bundle_is_there(place: Path, tmp_path: Path) -> None:
    name, out, database = campaigns(place)[0]["campaign_id"], tmp_path / "out.json", tmp_path / "control.sqlite"
    words = ("export", place / "run", name, "--gathered", place / "gathered.json", "--terms", place / "terms.toml",
             "--approve", "--by", "R. Okafor", "--out", out, "--ledger", database)  # fmt: skip
    with pytest.raises(sw.UsageError, match="no such database"):
        share(*words)
    assert not out.exists()
    with open_store(str(database)) as store:
        share(*words)
        with reading(store) as connection:
            entry = line(connection, 0).entry
    receipt = json.loads((tmp_path / "out.json.receipt.json").read_text(encoding="utf-8"))
    assert receipt.pop("ledger_entry") == 0
    assert (entry.by, entry.subject_id, entry.content) == ("R. Okafor", name, Record("share", receipt))
    assert receipt["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()


def test_misp_and_blocklists_are_made_of_the_bundle(place: Path) -> None:
    name = campaigns(place)[0]["campaign_id"]
    exported(place, name)
    bundle, losses = place / f"{name}.json", place / "losses.txt"
    event = json.loads(share("misp", bundle, "--losses", losses).stdout)
    assert any(one["type"] == "attachment" for one in event["Event"]["Attribute"])
    assert "all of it" in losses.read_text(encoding="utf-8")
    for form in ("nginx", "envoy", "crowdsec"):
        assert share("blocklist", bundle, "--format", form, "--at", "2026-01-01").exit_code == 0


@pytest.mark.parametrize("words", [("gather", "LOG", "--run", "RUN", "--out", "x.json"), ("preview", "RUN", "C-none")])
def test_another_log_or_another_campaign_is_refused(place: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    other = tmp_path / "other.ndjson"
    other.write_text('{"exchange_id": "x", "ts": "2026-03-01T00:00:00Z", "account_id": "a", "model": "m"}\n')
    told = [{"LOG": str(other), "RUN": str(place / "run")}.get(word, word) for word in words]
    told = [str(tmp_path / word) if word == "x.json" else word for word in told]
    with pytest.raises(StillwatchError, match=r"not in this log|no campaign of this run"):
        share(*told)


def test_without_a_secret_nothing_is_even_previewed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STILLWATCH_SECRET")
    assert "STILLWATCH_SECRET" not in os.environ
    with pytest.raises(sw.UsageError, match="STILLWATCH_SECRET"):
        share("preview", place / "run", campaigns(place)[0]["campaign_id"])


def test_a_cleared_member_keeps_what_it_shows_from_leaving(place: Path, small_traffic: Path, tmp_path: Path) -> None:
    one = campaigns(place)[0]
    (tmp_path / "cleared.txt").write_text("\n".join(one["members"]), encoding="utf-8")
    out = tmp_path / "gathered.json"
    share("gather", small_traffic / "exchanges.parquet", "--run", place / "run", "--cleared", tmp_path / "cleared.txt",
          "--out", out)  # fmt: skip
    told = json.loads(share("preview", place / "run", one["campaign_id"], "--gathered", out, "--json").stdout)
    assert told["indicators"] == []
    assert any("cleared" in each["why"] for each in told["withheld"])
