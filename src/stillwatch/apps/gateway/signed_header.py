"""A JWT in which a gateway in front says who calls: signature by joserfc, public keys from a JWKS or PEM file."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from joserfc import jwk, jwt
from joserfc.errors import JoseError, SecurityWarning

from stillwatch.apps.gateway.apis.errors import Refused
from stillwatch.apps.gateway.callers import Caller, Headers
from stillwatch.apps.gateway.settings import SignedHeader
from stillwatch.model import UsageError

ALGORITHMS = ("EdDSA", "Ed25519", "ES256", "RS256")  # of a public key; never one that a client could sign with itself
KINDS: dict[str, Any] = {"OKP": jwk.OKPKey, "EC": jwk.ECKey, "RSA": jwk.RSAKey}
MOST_TOKENS = 10_000  # verified ones that are remembered: a gateway in front sends one token many times
LONGEST_TOKEN = 8_192
LONGEST_CLAIM = 256


class SignedHeaders:
    """Verifies signed headers, each token once."""

    def __init__(self, told: SignedHeader) -> None:
        self._told = told
        self._header = told.header.lower().encode()
        self.consumes = frozenset((self._header,))
        self._keys = load_public_keys(told.keys)
        self._known: dict[bytes, tuple[Caller, float]] = {}

    def version(self) -> object:
        """Return what changes when the file of keys does."""
        found = self._told.keys.stat()
        return found.st_mtime_ns, found.st_size, found.st_ino

    def load(self) -> None:
        """Read the keys again; what was verified with the old ones is forgotten."""
        self._keys = load_public_keys(self._told.keys)
        self._known = {}

    def caller(self, headers: Headers, now: int) -> Caller:
        """Return who calls, by a token whose signature, audience and times hold."""
        token = headers.get(self._header, b"")
        token = token[7:].strip() if token[:7].lower() == b"bearer " else token
        if not token:
            raise Refused(401, "missing_token", "The signed header that says who calls is missing.")
        known = self._known.get(token)
        if known is None:
            known = self._verified(token, now / 1e6)
            if len(self._known) >= MOST_TOKENS:
                self._known.clear()
            self._known[token] = known
        caller, until = known
        if now / 1e6 >= until:
            self._known.pop(token, None)
            raise Refused(401, "expired_token", "The signed header has expired.")
        return caller

    def _verified(self, token: bytes, now: float) -> tuple[Caller, float]:
        if len(token) > LONGEST_TOKEN:
            raise Refused(401, "invalid_token", "The signed header is too long.")
        try:
            claims = _decode(token, self._keys)
            self._rules(now).validate(claims)
            until = float(claims["exp"]) + self._told.leeway
        except (JoseError, ValueError, KeyError, TypeError) as error:  # of what a stranger sent
            code = "expired_token" if type(error).__name__ == "ExpiredTokenError" else "invalid_token"
            raise Refused(401, code, f"The signed header does not hold: {type(error).__name__}.") from None
        account = _text(claims.get(self._told.account_claim))
        if not account:
            raise Refused(401, "invalid_token", f"The signed header has no claim {self._told.account_claim}.")
        said = {column: text for column, claim in self._told.claims.items() if (text := _text(claims.get(claim)))}
        return Caller(account, _text(claims.get("key_id")) or None, said), until

    def _rules(self, now: float) -> jwt.JWTClaimsRegistry:
        must: dict[str, Any] = {"aud": {"essential": True, "value": self._told.audience}, "exp": {"essential": True}}
        if self._told.issuer:
            must["iss"] = {"essential": True, "value": self._told.issuer}
        return jwt.JWTClaimsRegistry(now=int(now), leeway=int(self._told.leeway), **must)


def _decode(token: bytes, keys: jwk.KeySet) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)  # the name EdDSA is deprecated (RFC 9864), and in wide use
        return jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims


def load_public_keys(path: Path) -> jwk.KeySet:
    """Read a JWKS or PEM file of public keys; a secret that both sides would share is refused."""
    try:
        text = path.read_text(encoding="utf-8")
        if text.lstrip().startswith("{"):
            told = json.loads(text)
            keys = [KINDS[each["kty"]].import_key(each) for each in told.get("keys", [told])]
        else:
            keys = [_from_pem(text)]
        found = jwk.KeySet(keys)
    except (OSError, ValueError, KeyError, TypeError, JoseError) as error:
        mend = "give a JWKS or PEM file of Ed25519, P-256 or RSA public keys"
        raise UsageError(f"{path}: holds no public keys ({type(error).__name__}); {mend}") from error
    if not keys:
        raise UsageError(f"{path}: holds no public keys; give a JWKS or PEM file with at least one")
    return found


def _from_pem(text: str) -> Any:
    failed: Exception = ValueError("no key")
    for kind in KINDS.values():
        try:
            return kind.import_key(text)
        except (ValueError, TypeError, JoseError) as error:
            failed = error
    raise failed


def _text(value: Any) -> str:
    return str(value)[:LONGEST_CLAIM] if isinstance(value, str | int) and not isinstance(value, bool) else ""
