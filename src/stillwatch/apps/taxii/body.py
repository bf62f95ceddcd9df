"""A request's body, read as it comes and never beyond its limit."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from stillwatch.sharing.taxii.words import Refusal


def refuse_early(request: Request, most: int) -> None:
    """Refuse by the headers alone: a body that says that it is too long, or that would have to be unpacked."""
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Refusal(415, "Content encoding", "send the body as it is, not compressed")
    declared = request.headers.get("content-length", "0")
    if not (declared.isascii() and declared.isdigit()) or len(declared) > 18:
        raise Refusal(400, "Malformed header", "content-length is no number")
    if int(declared) > most:
        raise _too_long(most)


async def read_body(request: Request, most: int, seconds: float) -> bytes:
    """Read the body in pieces; stop at the piece that makes it too long, or when it takes too long to come."""
    parts: list[bytes] = []
    length = 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                length += len(part)
                if length > most:
                    raise _too_long(most)
                parts.append(part)
    except TimeoutError:
        raise Refusal(408, "Too slow", f"the body did not come within {seconds:g} seconds") from None
    except ClientDisconnect:
        raise Refusal(400, "Malformed body", "the connection ended before the body did") from None
    return b"".join(parts)


def _too_long(most: int) -> Refusal:
    return Refusal(413, "Too long", f"a body has at most {most:,} bytes; send several envelopes")
