"""What signing costs: `python benchmarks/signing.py`. Process CPU, the least of some rounds, in µs."""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from http_message_signatures import HTTPMessageSigner, HTTPSignatureKeyResolver, algorithms

from stillwatch.integrity.signing.checking import Checker, Expected
from stillwatch.integrity.signing.headers import ALWAYS, LABEL, TAG, Hop, sign_head
from stillwatch.integrity.signing.received import receive
from stillwatch.integrity.signing.signer import Signer, SigningStream, read_question, sign_answer
from stillwatch.lab.signed.samples import EVENTS, NOW, WHOLE, Content, make_signer, write_event

ROUNDS = 9
WORD = "The sum of the first odd numbers is a square. "
BARS = {"JSON answer, both signatures": 400.0, "SSE event": 5.0}
ASKED: dict[str, Any] = {
    "model": "opal-4",
    "messages": [{"role": "system", "content": "Be exact."}, *({"role": "user", "content": WORD * 4},) * 5],
    "tools": [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}],
    "temperature": 0.7,
}  # fmt: skip
HOP = Hop(200, "application/json", "POST", "/v1/chat/completions")


def asked_of(endpoint: str) -> dict[str, Any]:
    """The same request in each API's way."""
    talk = {"input" if endpoint == "responses" else "messages": ASKED["messages"]}
    return {name: value for name, value in ASKED.items() if name != "messages"} | talk


def sign_by_library(body: bytes, signer: Signer) -> None:
    """What `sign_head` does, by the library that checks it."""
    key, private, _ = signer.key()

    class Keys(HTTPSignatureKeyResolver):
        def resolve_private_key(self, key_id: str) -> Any:
            del key_id
            return private

    request = SimpleNamespace(method="POST", url="https://api.example.com/v1/chat/completions", headers={})
    answer = SimpleNamespace(status_code=200, headers={"content-type": "application/json"}, request=request)
    HTTPMessageSigner(signature_algorithm=algorithms.ED25519, key_resolver=Keys()).sign(
        answer, key_id=key.public.kid, tag=TAG, label=LABEL, covered_component_ids=ALWAYS, body=body
    )


def least(what: Callable[[], object], times: int, rounds: int = ROUNDS) -> float:
    """The least CPU of one call over the rounds, in µs: what a neighbour takes is not counted."""
    found = []
    for _ in range(rounds):
        before = time.process_time()
        for _ in range(times):
            what()
        found.append((time.process_time() - before) / times * 1e6)
    return min(found)


def main() -> None:
    """Print the table."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    signer, rows = make_signer(), dict[str, float]()
    checker = Checker(signer.ring.public())
    for endpoint in WHOLE:
        content = Content("opal-4", [WORD] * 40, [("look_up", '{"term": "sum"}')], [])
        body = json.dumps(WHOLE[endpoint](content)).encode()

        def both(endpoint: str = endpoint, body: bytes = body) -> None:
            signed = sign_answer(body, read_question(endpoint, asked_of(endpoint)), signer)
            sign_head(HOP, signed, signer, NOW * 1_000_000)

        name = "JSON answer, both signatures" + ("" if endpoint == "chat.completions" else f" ({endpoint})")
        rows[name] = least(both, 300)
        words = Content("opal-4", ["word "] * 1_000, [], [])
        pieces = [write_event(each) for each in EVENTS[endpoint](words)]

        def stream(endpoint: str = endpoint, pieces: list[bytes] = pieces) -> None:
            signing = SigningStream(read_question(endpoint, asked_of(endpoint)), signer)
            for piece in pieces:
                signing.feed(piece)

        name = "SSE event" + ("" if endpoint == "chat.completions" else f" ({endpoint})")
        rows[name] = least(stream, 1, 40) / len(pieces)
    signed = sign_answer(body, read_question(endpoint, asked_of(endpoint)), signer)
    rows["check of a JSON answer"] = least(lambda: checker.check(receive(signed), Expected(asked_of(endpoint))), 100)
    rows["the head alone"] = least(lambda: sign_head(HOP, signed, signer, NOW * 1_000_000), 300)
    rows["the head alone, by http-message-signatures"] = least(lambda: sign_by_library(signed, signer), 50)
    key = Ed25519PrivateKey.generate()
    rows["one Ed25519 signature of 1 KB alone"] = least(lambda: key.sign(bytes(1_024)), 500)
    print(f"{platform.machine()}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}; CPU in µs")
    for name, micros in rows.items():
        bar = BARS.get(name.partition(" (")[0])
        said = "" if bar is None else f"   bar {bar:g}: {'met' if micros <= bar else 'missed'}"
        print(f"{name:48}{micros:9.2f}{said}")


if __name__ == "__main__":
    main()
