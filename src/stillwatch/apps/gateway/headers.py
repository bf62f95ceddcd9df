"""Which headers are passed on. Those of the connection end here, as do credentials that the gateway itself consumed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from multidict import CIMultiDict, istr

from stillwatch.apps.gateway.apis.errors import Refused

Raw = Iterable[tuple[bytes, bytes]]
HOP_BY_HOP = frozenset(
    (b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te",
     b"trailer", b"transfer-encoding", b"upgrade")
)  # fmt: skip
FORWARDING = frozenset(
    (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-port", b"x-forwarded-proto", b"x-real-ip")
)
REQUEST_ENDS_HERE = HOP_BY_HOP | FORWARDING | {b"host", b"content-length", b"expect", b"accept-encoding"}
CREDENTIALS = frozenset((b"authorization", b"x-api-key", b"api-key", b"openai-organization", b"openai-project"))
ONLY_ONCE = (b"authorization", b"x-api-key", b"content-type", b"content-length", b"content-encoding", b"host")
MOST_NAMES = 1_024  # of header names kept ready; a client may invent any number
_names: dict[bytes, istr] = {}


def as_mapping(raw: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return headers by name; a Refused where one that decides is there twice, for others would read the other one."""
    held = dict(raw)
    if len(held) < len(raw):
        names = [name for name, _ in raw]
        for name in ONLY_ONCE:
            if names.count(name) > 1:
                raise Refused(
                    400, "repeated_header", f"The header {name.decode()} is there more than once.", close=True
                )
    return held


def onward(raw: Raw, given: Mapping[bytes, bytes], dropped: frozenset[bytes]) -> CIMultiDict[str]:
    """Return the headers of the request to the upstream, without those that end here."""
    connection = given.get(b"connection")
    if connection is not None and connection.lower() not in (b"keep-alive", b"close"):
        dropped |= {token.strip().lower() for token in connection.split(b",")}
    try:
        kept = [(_names.get(name) or _name(name), value.decode()) for name, value in raw if name not in dropped]
    except UnicodeDecodeError:
        raise Refused(400, "invalid_header", "A header is not UTF-8 text.") from None
    kept.append((_ACCEPT_ENCODING, "identity"))  # usage is read from the answer, and effects alter it
    return CIMultiDict(kept)


def back(raw: Raw, dropped: frozenset[bytes] = frozenset()) -> list[tuple[bytes, bytes]]:
    """Return the headers of the answer to the client."""
    found = [(name.lower(), value) for name, value in raw]
    for name, value in found:
        if name == b"connection" and value.lower() not in (b"keep-alive", b"close"):
            dropped |= {token.strip().lower() for token in value.split(b",")}
    return [each for each in found if each[0] not in HOP_BY_HOP and each[0] not in dropped]


def _name(name: bytes) -> istr:
    made = istr(name.decode())
    if len(_names) < MOST_NAMES:
        _names[name] = made
    return made


_ACCEPT_ENCODING = istr("accept-encoding")
