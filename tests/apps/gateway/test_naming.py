"""Keys and reasoning handles have one name in a deployment, wherever they are seen."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stillwatch.apps.gateway.apis.naming import DIGESTS, Namer, digest, is_marked, names_of
from stillwatch.apps.gateway.callers import ClientKeys
from stillwatch.apps.gateway.plugs.contract import Ended, ExchangeFields, arrival_from, outcome_from
from stillwatch.apps.gateway.wiring import naming
from stillwatch.store.accounts import Account, put_accounts
from stillwatch.store.database import open_store
from stillwatch.store.keys import KeyRequest, issue_key

SECRET = b"a secret of the deployment"
NAMES = names_of(SECRET)


def test_a_handle_told_by_its_digest_gets_the_name_that_the_gateway_gives_it() -> None:
    told = DIGESTS.handle("SIG-1")
    assert is_marked(told)
    assert NAMES.known(told) == NAMES.handle("SIG-1") == Namer(SECRET)("SIG-1")


@pytest.mark.parametrize("told", ["", "sha256:", "sha256:abc", "SIG-1", "sha256:" + "g" * 64, "sha256:" + "a" * 65])
def test_what_is_no_marked_digest_stays_as_it_is(told: str) -> None:
    assert NAMES.known(told) == told


def test_a_client_key_is_the_same_account_in_the_relay_and_by_its_digest() -> None:
    caller = ClientKeys(Namer(SECRET)).caller({b"authorization": b"Bearer sk-client"}, 0)
    fields = ExchangeFields(account_id=DIGESTS.owner(digest("sk-client"), 0)[0], model="m")
    assert arrival_from(fields, NAMES).account_id == caller.account_id == f"key-{caller.api_key_id}"


def test_an_outcome_names_what_was_minted() -> None:
    ended = Ended(exchange_id="x", status=200, artefacts_out=(DIGESTS.handle("ENC-1"), "named already"))
    assert outcome_from(ended, NAMES).artefacts_out == (NAMES.handle("ENC-1"), "named already")


def test_a_key_of_the_gateway_is_its_account_also_by_its_digest(tmp_path: Path) -> None:
    with open_store(str(tmp_path / "control.sqlite"), SECRET) as store:
        put_accounts(store, [Account("acme")])
        key, kept = issue_key(store, KeyRequest("acme", expires_at=100), 1, "test")
        deciding: Any = SimpleNamespace(places=SimpleNamespace(secret=SECRET), store=store, plane=None)
        names, _ = naming(deciding)
    assert names.owner(digest(key), 50) == ("acme", kept.key_id)
    assert names.owner(digest(key), 200)[0].startswith("key-"), "it has expired"
