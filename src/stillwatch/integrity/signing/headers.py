"""The direct hop: RFC 9421 signs status, type, digest (RFC 9530) and the request's method and path.

http-message-signatures checks them, and a test holds that it believes what is signed here. Its own signing takes
several times as long, for it parses each field again. A stream has no digest: its head is gone before its end is known.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any

from stillwatch.integrity.signing.keys import PublicKeys
from stillwatch.integrity.signing.signer import Signer
from stillwatch.model import MissingDependency

TAG = "stillwatch-answer"
LABEL = "stillwatch"
ALWAYS = ('"@status"', '"content-type"', '"@method";req', '"@path";req')
DIGEST, ASKED_DIGEST = '"content-digest"', '"content-digest";req'


@dataclass(frozen=True, slots=True)
class Hop:
    """What of a request and the answer's head is signed."""

    status: int
    content_type: str
    method: str
    path: str  # as it was sent, without the query
    asked_digest: str = ""  # the request's content-digest, where it had one that holds


def content_digest(body: bytes) -> str:
    """Return the field of RFC 9530."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def holds(field: str, body: bytes) -> bool:
    """Say whether a request's content-digest is the SHA-256 of its body."""
    return field == content_digest(body)


def sign_head(hop: Hop, body: bytes | None, signer: Signer, at: int) -> list[tuple[str, str]]:
    """Return the fields to add to an answer's head. `at` is µs since 1970; no body: a stream."""
    key, private, _ = signer.key()
    values = [str(hop.status), hop.content_type, hop.method, hop.path or "/"]
    names = list(ALWAYS)
    fields = []
    if body is not None:
        made = content_digest(body)
        fields.append(("content-digest", made))
        names.append(DIGEST)
        values.append(made)
    if hop.asked_digest:
        names.append(ASKED_DIGEST)
        values.append(hop.asked_digest)
    params = f'({" ".join(names)});created={at // 1_000_000};keyid="{key.public.kid}";alg="ed25519";tag="{TAG}"'
    lines = [f"{name}: {value}" for name, value in zip(names, values, strict=True)]
    base = "\n".join([*lines, f'"@signature-params": {params}'])
    signature = base64.b64encode(private.sign(base.encode("ascii", "replace"))).decode()
    return [*fields, ("signature-input", f"{LABEL}={params}"), ("signature", f"{LABEL}=:{signature}:")]


def check_head(response: Any, keys: PublicKeys, body: bytes | None) -> list[str]:
    """Check the fields of an answer that came over one hop; return what they cover.

    `response` has `status_code`, `headers` and `request` (`method`, `url`, `headers`), as the response of an HTTP
    library has; no body: a stream. Raises ValueError, with why, for what does not hold.
    """
    try:
        from http_message_signatures import HTTPMessageVerifier, algorithms
        from http_message_signatures.exceptions import HTTPMessageSignaturesException
    except ImportError as error:
        raise MissingDependency(
            "signatures of heads need http-message-signatures: pip install 'stillwatch[integrity]'"
        ) from error
    verifier = HTTPMessageVerifier(signature_algorithm=algorithms.ED25519, key_resolver=_resolver(keys))
    try:
        found = verifier.verify(response, expect_tag=TAG, require_components=("@status", '"@path";req'), body=body)
    except HTTPMessageSignaturesException as error:
        raise ValueError(str(error) or "the signature does not hold for the head") from None
    return sorted(found[0].covered_components)


def _resolver(keys: PublicKeys) -> Any:
    """What finds published keys for the library."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from http_message_signatures import HTTPSignatureKeyResolver

    class Published(HTTPSignatureKeyResolver):
        def resolve_public_key(self, key_id: str) -> Ed25519PublicKey:
            """Return a key that may be believed."""
            key = keys.keys.get(key_id)
            if key is None or key.revoked_at is not None:
                raise ValueError("its key is unknown or revoked")
            return Ed25519PublicKey.from_public_bytes(key.x)

        def resolve_private_key(self, key_id: str) -> Any:
            """Nothing is signed here."""
            raise ValueError(key_id)

    return Published()
