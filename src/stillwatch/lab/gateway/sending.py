"""A client that sends a log in its order over a few connections, and notes what came back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stillwatch.lab.gateway.wording import FROM_UPSTREAM, request_of
from stillwatch.model import StillwatchError

CONNECTIONS = 8
REASON = b"x-stillwatch-reason: "


@dataclass(frozen=True, slots=True)
class Came:
    """What came of one request."""

    exchange_id: str
    account_id: str
    ts: int  # µs, of the log
    status: int
    reason: str = ""  # of the gateway's refusal
    served: bool = True

    @property
    def refused(self) -> bool:
        """Whether the gateway refused it by its policy."""
        return not self.served


def send_rows(address: tuple[str, int], rows: Sequence[tuple[int, dict[str, Any]]]) -> list[Came]:
    """Send rows, each with its moment, and return what came of each, in no order."""
    return asyncio.run(_send_all(address, rows))


async def _send_all(address: tuple[str, int], rows: Sequence[tuple[int, dict[str, Any]]]) -> list[Came]:
    came: list[Came] = []
    left = iter(rows)
    await asyncio.gather(*(_send_some(address, left, came) for _ in range(min(CONNECTIONS, len(rows)))))
    return came


async def _send_some(address: tuple[str, int], left: Iterator[tuple[int, dict[str, Any]]], came: list[Came]) -> None:
    reader, writer = await asyncio.open_connection(*address)
    try:
        for moment, row in left:
            writer.write(request_of(row, moment))
            came.append(_read(await _answer(reader), moment, row))
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> bytes:
    """Read an answer to its end; return its head."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if b"content-length: " in head:
        await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
        return head
    while size := int(await reader.readline(), 16):
        await reader.readexactly(size + 2)
    await reader.readline()
    return head


def _read(head: bytes, moment: int, row: dict[str, Any]) -> Came:
    status, served = int(head.split(b" ", 2)[1]), FROM_UPSTREAM.encode() in head
    reason = head.split(REASON)[1].split(b"\r\n")[0].decode() if REASON in head else ""
    if not served and not reason:
        raise StillwatchError(f"{row['exchange_id']}: the gateway answered {status} by itself; its log says why")
    return Came(row["exchange_id"], row["account_id"], moment, status, reason, served)
