"""The gateway signs as it relays; without `[signing]` every byte is the upstream's."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from stillwatch.actions.decision import ALLOWED
from stillwatch.apps.gateway.signing.answers import AnswerSigning
from stillwatch.integrity import wrap
from stillwatch.integrity.signing.checking import Checker, Expected
from stillwatch.integrity.signing.client import load_keys
from stillwatch.integrity.signing.headers import check_head, content_digest
from stillwatch.integrity.signing.keys import new_ring, write_ring
from stillwatch.integrity.signing.received import receive
from stillwatch.integrity.signing.record import FIELD, Receipt
from tests.apps.gateway.running import ALICE, Stack, stack

ASKED: dict[str, Any] = {"model": "mock", "messages": [{"role": "user", "content": "Why?"}]}
WELL_KNOWN = "/.well-known/stillwatch/answer-keys.json"


class Kept(list[Receipt]):
    def keep(self, receipt: Receipt) -> None:
        self.append(receipt)


KEPT = Kept()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("keys") / "keys.json"
    write_ring(new_ring("api.example.com", int(time.time()) - 60), path, new=True)
    return path


@pytest.fixture(scope="module")
def gateway(keys: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack(tmp_path_factory.mktemp("gateway"), signing=AnswerSigning(keys, receipts=KEPT)) as made:
        yield made


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack(tmp_path_factory.mktemp("plain")) as made:
        yield made


class Message:
    """An answer over one hop, as HTTP libraries show it."""

    def __init__(self, url: str, headers: dict[str, str], answer: Any = None) -> None:
        self.method, self.url, self.headers, self.request = "POST", url, headers, answer


class Head:
    def __init__(self, status: int, headers: dict[str, str], request: Message) -> None:
        self.status_code, self.headers, self.request = status, headers, request


def post(url: str, path: str, asked: dict[str, Any], **headers: str) -> tuple[Head, bytes]:
    body = json.dumps(asked).encode()
    more = {name.replace("_", "-"): each for name, each in headers.items()}
    sent = {"content-type": "application/json", "authorization": f"Bearer {ALICE}",
            "content-digest": content_digest(body), **more}  # fmt: skip
    request = urllib.request.Request(url + path, body, sent)
    with urllib.request.urlopen(request) as answer:
        told = {name.lower(): value for name, value in answer.headers.items()}
        return Head(answer.status, told, Message(url + path, sent)), answer.read()


def test_the_sdks_believe_what_the_gateway_relays(gateway: Stack) -> None:
    keys = gateway.url + WELL_KNOWN
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=ALICE, max_retries=0) as client:
        wrap(client, keys=keys)
        for how in ("events=9", "tool", "thinking", "gzip"):
            more: Any = {"extra_headers": {"mock": how}}
            assert client.chat.completions.create(**ASKED, **more).choices
            assert list(client.chat.completions.create(**ASKED, stream=True, **more))
            assert client.responses.create(model="mock", input="Why?", **more).output
            assert list(client.responses.create(model="mock", input="Why?", stream=True, **more))
    with anthropic.Anthropic(base_url=gateway.url, api_key=ALICE, max_retries=0) as other:
        wrap(other, keys=keys)
        assert other.messages.create(**ASKED, max_tokens=9).content
        with other.messages.stream(**ASKED, max_tokens=9) as stream:
            assert stream.get_final_text()


def test_the_head_is_signed_for_who_calls_directly_and_binds_the_request(gateway: Stack) -> None:
    keys = load_keys(gateway.url + WELL_KNOWN)
    head, body = post(gateway.url, "/v1/chat/completions", ASKED)
    assert set(check_head(head, keys, body)) >= {'"@status"', '"content-digest"', '"content-digest";req', '"@path";req'}
    with pytest.raises(ValueError, match=r"[Dd]igest"):
        check_head(head, keys, body.replace(b"sum", b"all"))
    head.request.headers["content-digest"] = content_digest(b"another request")
    with pytest.raises(ValueError, match="does not hold"):
        check_head(head, keys, body)
    streamed, _ = post(gateway.url, "/v1/chat/completions", ASKED | {"stream": True})
    assert '"@status"' in check_head(streamed, keys, None)


def test_all_but_the_receipt_is_the_upstreams_byte_for_byte(gateway: Stack, plain: Stack) -> None:
    for stream in (False, True):
        asked = ASKED | {"stream": stream}
        _, signed = post(gateway.url, "/v1/chat/completions", asked)
        _, relayed = post(plain.url, "/v1/chat/completions", asked)
        if stream:
            left = b"".join(each for each in re.split(rb"(?<=\n\n)", signed) if b"stillwatch" not in each)
        else:
            start = signed.index(b',"stillwatch"')
            end = signed.index(b'"}', signed.index(b'"signature":', start)) + 2
            left = signed[:start] + signed[end:]
        assert _without_ids(left) == _without_ids(relayed)


def test_without_signing_nothing_is_added_and_no_key_is_published(plain: Stack) -> None:
    head, body = post(plain.url, "/v1/chat/completions", ASKED)
    _, upstream = post(plain.upstream_url, "/v1/chat/completions", ASKED)
    assert _without_ids(body) == _without_ids(upstream)
    assert not {"signature", "signature-input", "content-digest"} & set(head.headers)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(plain.url + WELL_KNOWN)


def test_errors_and_what_is_no_answer_of_a_model_are_not_signed(gateway: Stack) -> None:
    KEPT.clear()
    with pytest.raises(urllib.error.HTTPError) as raised:
        post(gateway.url, "/v1/chat/completions", ASKED, mock="status=429")
    assert "signature" not in raised.value.headers
    raised.value.close()
    head, _ = post(gateway.url, "/v1/embeddings", {"model": "mock", "input": "x"})
    assert "signature" not in head.headers
    assert KEPT == []


def test_every_receipt_is_handed_to_the_ledger_once(gateway: Stack) -> None:
    KEPT.clear()
    for stream in (False, True):
        _, body = post(gateway.url, "/v1/messages", ASKED | {"stream": stream, "max_tokens": 9}, anthropic_version="1")
        assert receive(body).receipt == KEPT[-1]
    assert len(KEPT) == 2


def test_a_nonce_of_the_client_comes_back_and_an_answer_to_another_is_a_replay(gateway: Stack) -> None:
    keys = load_keys(gateway.url + WELL_KNOWN)
    _, body = post(gateway.url, "/v1/chat/completions", ASKED, stillwatch_nonce="mine")
    assert json.loads(body)[FIELD]["record"]["echo"] == "mine"
    assert Checker(keys).check(receive(body), Expected(ASKED, "mine")).genuine
    assert Checker(keys).check(receive(body), Expected(ASKED, "yours")).result == "replayed"


def test_what_the_policy_alters_is_signed_as_it_is_sent(gateway: Stack) -> None:
    from dataclasses import replace

    keys = load_keys(gateway.url + WELL_KNOWN)
    gateway.parts.decision = replace(ALLOWED, effect=replace(ALLOWED.effect, drop=frozenset({"reasoning"})))
    try:
        for stream in (False, True):
            _, body = post(gateway.url, "/v1/chat/completions", ASKED | {"stream": stream}, mock="thinking")
            assert b"recall the formula" not in body
            assert Checker(keys).check(receive(body), Expected(ASKED)).genuine
    finally:
        gateway.parts.decision = ALLOWED


def test_other_keys_are_taken_while_it_runs(gateway: Stack, keys: Path) -> None:
    from stillwatch.integrity.signing.keys import read_ring, rotate

    before = load_keys(gateway.url + WELL_KNOWN)
    write_ring(rotate(read_ring(keys), int(time.time()), 0, 60), keys)
    signing = gateway.gateway.parts.signing
    assert signing is not None
    signing.watched[0].load()
    after = load_keys(gateway.url + WELL_KNOWN)
    assert len(after.keys) == len(before.keys) + 1
    _, body = post(gateway.url, "/v1/chat/completions", ASKED)
    assert Checker(before).check(receive(body)).result == "unknown-key"
    assert Checker(after).check(receive(body)).genuine


def test_of_a_stored_response_the_head_is_signed_and_names_which_it_is(keys: Path, tmp_path: Path) -> None:
    through = '[authentication]\nkind = "pass-through"\n'
    with stack(tmp_path, through, 'channel = "x"', signing=AnswerSigning(keys, receipts=KEPT)) as made:
        published = load_keys(made.url + WELL_KNOWN)
        KEPT.clear()
        url = f"{made.url}/v1/responses/resp_1"
        sent = {"authorization": f"Bearer {ALICE}"}
        with urllib.request.urlopen(urllib.request.Request(url, headers=sent)) as answer:
            body = answer.read()
            told = {name.lower(): value for name, value in answer.headers.items()}
        with urllib.request.urlopen(f"{made.upstream_url}/v1/responses/resp_1") as upstream:
            assert _without_ids(body) == _without_ids(upstream.read())
        asked = Message(url, sent)
        asked.method = "GET"
        assert '"content-digest"' in check_head(Head(200, told, asked), published, body)
        asked.url = url.replace("resp_1", "resp_2")
        with pytest.raises(ValueError, match="does not hold"):
            check_head(Head(200, told, asked), published, body)
        assert KEPT == []


def _without_ids(body: bytes) -> bytes:
    return re.sub(rb"(chatcmpl|resp)-?_?\d+", rb"\1-N", body)
