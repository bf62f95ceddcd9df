"""Each kind of indicator as a STIX pattern, and as the observables that show it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from stillwatch.sharing.case import Kind
from stillwatch.sharing.extensions import PAYMENT, TEMPLATE, TLS
from stillwatch.sharing.grammar import JA4
from stillwatch.sharing.ids import Json, derived, observable
from stillwatch.sketch.fingerprints import SCHEME, Fingerprint


def _family(value: str) -> str:
    return "ipv6-addr" if ":" in value else "ipv4-addr"


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def pattern(kind: Kind, value: str, key_id: str | None = None) -> str:
    """Return the STIX pattern that finds a value."""
    match kind:
        case Kind.ADDRESS:
            return f"[{_family(value)}:value = {_quoted(value)}]"
        case Kind.PREFIX:
            return f"[{_family(value)}:value ISSUBSET {_quoted(value)}]"
        case Kind.ASN:
            return f"[autonomous-system:number = {int(value)}]"
        case Kind.CLIENT:
            return f"[network-traffic:extensions.'{TLS}'.{_dialect(value)} = {_quoted(value)}]"
        case Kind.USER_AGENT:
            header = "network-traffic:extensions.'http-request-ext'.request_header.'User-Agent'[*]"
            return f"[{header} = {_quoted(value)}]"
        case Kind.MAIL_DOMAIN:
            return f"[domain-name:value = {_quoted(value)}]"
        case Kind.PAYMENT:
            name = "x-stillwatch-payment-instrument"
            return f"[{name}:hmac_sha256 = {_quoted(value)} AND {name}:hmac_key_id = {_quoted(key_id or '')}]"
        case Kind.TEMPLATE:
            name = "x-stillwatch-prompt-template"
            return f"[{name}:scheme = {_quoted(SCHEME)} AND {name}:sketch = {_quoted(value)}]"


_READ: Sequence[tuple[str, Kind]] = (
    (r"\[ipv[46]-addr:value = '([0-9a-fA-F:.]+)'\]", Kind.ADDRESS),
    (r"\[ipv[46]-addr:value ISSUBSET '([0-9a-fA-F:./]+)'\]", Kind.PREFIX),
    (r"\[autonomous-system:number = ([0-9]+)\]", Kind.ASN),
    (rf"\[network-traffic:extensions\.'{TLS}'\.ja[34] = '([a-z0-9_]+)'\]", Kind.CLIENT),
    (r"\[network-traffic:extensions\.'http-request-ext'\.request_header\.'User-Agent'\[\*\] = '([^'\\]+)'\]",
     Kind.USER_AGENT),
    (r"\[domain-name:value = '([a-z0-9.-]+)'\]", Kind.MAIL_DOMAIN),
    (r"\[x-stillwatch-payment-instrument:hmac_sha256 = '([0-9a-f]{64})' AND .+\]", Kind.PAYMENT),
    (r"\[x-stillwatch-prompt-template:scheme = '[^']+' AND x-stillwatch-prompt-template:sketch = '([^']+)'\]",
     Kind.TEMPLATE),
)  # fmt: skip


def read_pattern(text: str) -> tuple[Kind, str] | None:
    """Return the kind and value of a pattern of one of these forms; None for any other, which needs a real matcher."""
    for form, kind in _READ:
        found = re.fullmatch(form, text.strip())
        if found:
            return kind, found[1]
    return None


def observables(kind: Kind, value: str, endpoint: str, key_id: str | None = None) -> list[Json]:
    """Return the observables that show a value, the one that the pattern is about last."""
    match kind:
        case Kind.ADDRESS | Kind.PREFIX:
            return [_sco(_family(value), {"value": value})]
        case Kind.ASN:
            return [_sco("autonomous-system", {"number": int(value)})]
        case Kind.MAIL_DOMAIN:
            return [_sco("domain-name", {"value": value})]
        case Kind.CLIENT:
            extension = {TLS: {"extension_type": "property-extension", _dialect(value): value}}
            return _connection(endpoint, ["tcp", "tls"], extension)
        case Kind.USER_AGENT:
            request = {
                "request_method": "post",
                "request_value": "/",
                "request_header": {"User-Agent": [value]},
            }
            return _connection(endpoint, ["tcp", "http"], {"http-request-ext": request})
        case Kind.PAYMENT:
            held: Json = {"hmac_sha256": value, "hmac_key_id": key_id or ""}
            return [_own("x-stillwatch-payment-instrument", held, PAYMENT)]
        case Kind.TEMPLATE:
            read = Fingerprint.parse(value)
            held = {"scheme": SCHEME, "sketch": value, "values": len(read.values), "needed": read.needed}
            return [_own("x-stillwatch-prompt-template", held, TEMPLATE)]


def _dialect(value: str) -> str:
    return "ja4" if JA4.fullmatch(value) else "ja3"


def _sco(kind: str, held: Json) -> Json:
    return {"type": kind, "spec_version": "2.1", "id": observable(kind, held), **held}


def _own(kind: str, held: Json, extension: str) -> Json:
    """Return an observable of ours; its id is the same for everybody who observed the same."""
    own = {"extensions": {extension: {"extension_type": "new-sco"}}}
    return {
        "type": kind,
        "spec_version": "2.1",
        "id": derived(kind, *(str(each) for each in held.values())),
        **held,
        **own,
    }


def _connection(endpoint: str, protocols: list[str], extensions: Json) -> list[Json]:
    far = _sco("domain-name", {"value": endpoint})
    ports = {"src_port": 0, "dst_port": 443}  # 0: not told; the strict reading wants both
    held: Json = {"dst_ref": far["id"], **ports, "protocols": protocols, "extensions": extensions}
    return [far, _sco("network-traffic", held)]
