"""Who calls, and from where: by a key, by a signed header, by the client's own key; and what of it is believed."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwk, jwt

from stillwatch.apps.gateway.apis.errors import Refused
from stillwatch.apps.gateway.callers import Caller, KeyRing
from stillwatch.apps.gateway.origin import Origins
from stillwatch.apps.gateway.settings import Authentication, SignedHeader
from stillwatch.apps.gateway.signed_header import SignedHeaders, load_public_keys
from stillwatch.model import UsageError
from tests.apps.gateway.running import stack
from tests.apps.gateway.test_relay import ask

NOW = 1_760_000_000
CLAIMS = {"sub": "alice", "aud": "stillwatch", "exp": NOW + 60, "org_id": "org-1", "plan": "pro", "key_id": "k9"}
KINDS = {
    "Ed25519": lambda: jwk.OKPKey.generate_key("Ed25519"),
    "ES256": lambda: jwk.ECKey.generate_key("P-256"),
    "RS256": lambda: jwk.RSAKey.generate_key(2_048),
}


def told_by(folder: Path, key: Any, pem: bool = False, **more: Any) -> SignedHeader:
    path = folder / "keys"
    public = key.as_pem(private=False).decode() if pem else json.dumps({"keys": [key.as_dict(private=False)]})
    path.write_text(public)
    return SignedHeader(keys=path, audience="stillwatch", **more)


def sign(key: Any, algorithm: str, **claims: Any) -> dict[bytes, bytes]:
    told = {name: value for name, value in (CLAIMS | claims).items() if value is not None}
    return {b"authorization": b"Bearer " + jwt.encode({"alg": algorithm}, told, key, algorithms=[algorithm]).encode()}


@pytest.mark.parametrize("pem", [False, True], ids=["JWKS", "PEM"])
@pytest.mark.parametrize("algorithm", KINDS)
def test_a_signed_header_names_the_account_and_what_is_known_of_it(tmp_path: Path, algorithm: str, pem: bool) -> None:
    key = KINDS[algorithm]()
    signed = SignedHeaders(told_by(tmp_path, key, pem))
    token = sign(key, algorithm)
    for _ in range(2):  # the second time it is known
        found = signed.caller(token, NOW * 1_000_000)
        assert found == Caller("alice", "k9", {"org_id": "org-1", "plan": "pro"})
    with pytest.raises(Refused, match="expired"):
        signed.caller(token, (NOW + 66) * 1_000_000)


@pytest.mark.parametrize(
    "claims",
    [{"aud": "another"}, {"aud": None}, {"exp": NOW - 60}, {"exp": None}, {"nbf": NOW + 60}, {"sub": None}, {"sub": ""},
     {"iss": "stranger"}, {"exp": "soon"}, {"sub": {"a": 1}}],
    ids=str,
)  # fmt: skip
def test_a_signed_header_that_does_not_hold_is_refused(tmp_path: Path, claims: dict[str, Any]) -> None:
    key = KINDS["Ed25519"]()
    signed = SignedHeaders(told_by(tmp_path, key, issuer="front"))
    assert signed.caller(sign(key, "Ed25519", iss="front"), NOW * 1_000_000).account_id == "alice"
    with pytest.raises(Refused) as raised:
        signed.caller(sign(key, "Ed25519", **({"iss": "front"} | claims)), NOW * 1_000_000)
    assert raised.value.status == 401


def test_a_header_that_somebody_else_signed_is_refused(tmp_path: Path) -> None:
    key, other = KINDS["Ed25519"](), KINDS["Ed25519"]()
    signed = SignedHeaders(told_by(tmp_path, key))
    shared = jwk.OctKey.import_key(key.as_dict(private=False)["x"])
    forged = [
        sign(other, "Ed25519"),
        {b"authorization": b"Bearer a.b.c"},
        {b"authorization": b"Bearer " + b"x" * 9_000},
        {},
    ]
    unsigned = b"eyJhbGciOiJub25lIn0." + sign(key, "Ed25519")[b"authorization"].split(b".")[1] + b"."
    for token in [*forged, {b"authorization": unsigned}, sign(shared, "HS256")]:
        with pytest.raises(Refused):
            signed.caller(token, NOW * 1_000_000)


def test_new_keys_are_read_and_what_the_old_ones_signed_is_forgotten(tmp_path: Path) -> None:
    old, new = KINDS["Ed25519"](), KINDS["Ed25519"]()
    signed = SignedHeaders(told_by(tmp_path, old))
    signed.caller(sign(old, "Ed25519"), NOW * 1_000_000)
    before = signed.version()
    time.sleep(0.01)
    told_by(tmp_path, new)
    assert signed.version() != before
    signed.load()
    assert signed.caller(sign(new, "Ed25519"), NOW * 1_000_000).account_id == "alice"
    with pytest.raises(Refused):
        signed.caller(sign(old, "Ed25519"), NOW * 1_000_000)


@pytest.mark.parametrize(
    "text", ["", "{}", '{"keys": []}', '{"keys": [{"kty": "oct", "k": "AAAA"}]}', "-----BEGIN X-----"]
)
def test_a_file_without_public_keys_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys").write_text(text)
    with pytest.raises(UsageError, match="public keys"):
        load_public_keys(tmp_path / "keys")


def test_through_the_gateway_the_signed_header_is_consumed_and_the_clients_key_goes_on(tmp_path: Path) -> None:
    key = KINDS["Ed25519"]()
    told_by(tmp_path, key)
    more = """
[authentication]
kind = "signed-header"
[authentication.signed_header]
keys = "keys"
audience = "stillwatch"
header = "x-caller"
"""
    token = sign(key, "Ed25519", exp=int(time.time()) + 60)[b"authorization"].decode()
    with stack(tmp_path, more, "channel = ''") as signed:
        answer, _ = ask(signed.url, authorization="Bearer sk-of-the-client", **{"x-caller": token})
        sent = signed.mock.seen.last["headers"]
        assert (answer.status, sent["authorization"], "x-caller" in sent) == (200, "Bearer sk-of-the-client", False)
        assert signed.parts.kept[0][0].account_id == "alice"
        assert signed.parts.kept[0][0].claims == {"org_id": "org-1", "plan": "pro"}
        answer, _ = ask(signed.url)
        assert answer.status == 401


def test_the_clients_own_key_is_hashed_and_passed_on(tmp_path: Path) -> None:
    with stack(tmp_path, '[authentication]\nkind = "pass-through"\n', "channel = ''") as through:
        ask(through.url, authorization="Bearer sk-client-1")
        ask(through.url, authorization="Bearer sk-client-2")
        ask(through.url, authorization="Bearer sk-client-1")
        first, second, again = (arrival.account_id for arrival, _, _ in through.parts.kept)
        assert first == again != second
        assert "sk-client" not in str(through.parts.kept)
        assert through.mock.seen.last["headers"]["authorization"] == "Bearer sk-client-1"


@dataclass(frozen=True)
class Known:
    key_id: str
    account_id: str
    expires_at: int | None


def test_a_key_is_good_until_it_expires_or_the_ring_is_read_without_it() -> None:
    keys = {"KEY": Known("k", "alice", None), "OLD": Known("o", "bob", 100)}
    ring = KeyRing(lambda: keys, str.upper)
    assert ring.find("key", 10) == Caller("alice", "k")
    assert (ring.find("old", 99), ring.find("old", 100), ring.find("none", 1)) == (Caller("bob", "o"), None, None)
    del keys["KEY"]
    ring.load()
    assert ring.find("key", 10) is None


TRUSTING = Authentication(
    trusted_proxies=("10.0.0.0/8", "fd00::/8"), tls_header="X-JA4", asn_header="X-ASN", country_header="X-Country"
)
TOLD = {b"x-ja4": b"t13d", b"x-asn": b"AS64500", b"x-country": b"de"}


@pytest.mark.parametrize(
    ("peer", "chain", "ip"),
    [
        ("192.0.2.1", "198.51.100.9", "192.0.2.1"),
        ("10.0.0.1", "198.51.100.9", "198.51.100.9"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.9, 10.1.1.1", "198.51.100.9"),
        ("10.0.0.1", "6.6.6.6, nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.7", "10.0.0.7"),
        ("fd00::1", "2001:db8::5", "2001:db8::5"),
        ("10.0.0.1", "198.51.100.9:4711", "198.51.100.9"),
        ("10.0.0.1", "[2001:db8::5]:4711", "2001:db8::5"),
    ],
)
def test_a_forwarding_header_is_believed_from_a_trusted_proxy_and_no_further(peer: str, chain: str, ip: str) -> None:
    raw = [(b"x-forwarded-for", each.strip().encode()) for each in chain.split(", ") if each]
    found = Origins(TRUSTING).of((peer, 1), dict(raw) | TOLD, raw)
    assert found.ip == ip
    trusted = peer != "192.0.2.1"
    assert (found.tls_fingerprint, found.asn, found.country) == (
        ("t13d", 64_500, "DE") if trusted else (None, None, None)
    )


def test_the_standard_header_is_read_too() -> None:
    origins = Origins(TRUSTING.model_copy(update={"client_header": "forwarded"}))
    raw = [(b"forwarded", b'for=6.6.6.6;proto=https, For="[2001:db8::5]:99";by=10.0.0.2')]
    assert origins.of(("10.0.0.1", 1), dict(raw), raw).ip == "2001:db8::5"


def test_nobody_is_trusted_unless_named(tmp_path: Path) -> None:
    with stack(tmp_path) as plain:
        ask(plain.url, **{"x-forwarded-for": "198.51.100.9"})
        assert plain.parts.kept[0][0].ip == "127.0.0.1"
