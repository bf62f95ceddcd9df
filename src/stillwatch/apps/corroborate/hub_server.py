"""The hub over HTTP: members hand in signed statements and read on from where they were."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from stillwatch.apps.corroborate.config import ServeConfig
from stillwatch.model import UsageError
from stillwatch.sharing.consensus.contributions import ContributionRefused, read_contribution
from stillwatch.sharing.consensus.hub import Hub, Member, open_hub
from stillwatch.sharing.private.allowed import AllowList, read_allow_list

PAGE = 1_000  # statements in one answer


def hub_of(config: ServeConfig) -> Hub:
    """Return the hub of these settings: a partner with a public key is a member."""
    members = {name: Member(row.public_key, row.reliability) for name, row in config.partners.items() if row.public_key}
    if not members:
        raise UsageError("hub = true, but no partner has a public_key; add those of the members")
    allow = AllowList() if config.allow is None else read_allow_list(config.allow)
    config.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    return open_hub(members, config.state / "contributions.ndjson", allow)


class HubDesk:
    """Steps of the server that concern the hub; one at a time, so that a file has one writer."""

    def __init__(self, config: ServeConfig, clock: Callable[[], float]) -> None:
        self._hub, self._clock, self._days = hub_of(config), clock, config.reciprocal_days
        self._lock = threading.Lock()

    async def contribute(self, body: bytes, partner: str) -> Response:
        """Take one statement, of the partner that hands it in and nobody else."""
        return await asyncio.to_thread(self._take, body, partner)

    async def page(self, request: Request, partner: str) -> Response:
        """Return statements as lines of JSON, from the place `after` on."""
        text = request.query_params.get("after", "0")
        if not text.isascii() or not text.isdecimal() or len(text) > 12:
            return JSONResponse({"error": f"after is {text[:20]!r}; expected a number"}, 400)
        return await asyncio.to_thread(self._read, int(text), partner)

    def _take(self, body: bytes, partner: str) -> Response:
        try:
            contribution = read_contribution(body)
            if contribution.statement.organisation != partner:
                raise ContributionRefused("a statement is handed in by whoever made it; pass it on as passed-on")
            with self._lock:
                new = self._hub.add(contribution, self._clock())
        except ContributionRefused as error:
            return JSONResponse({"error": str(error)}, 422)
        return JSONResponse({"id": contribution.id, "new": new}, 201 if new else 200)

    def _read(self, after: int, partner: str) -> Response:
        with self._lock:
            rows = self._hub.page(partner, after, PAGE, self._clock(), self._days)
            held = len(self._hub.held)
        lines = [json.loads(one.to_line()) for one in rows]
        return JSONResponse({"contributions": lines, "next": min(after + PAGE, held), "more": after + PAGE < held})
