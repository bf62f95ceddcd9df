"""Where the decision is asked for, and what happens while it cannot be had: never in silence."""

from __future__ import annotations

import http.client
import json
import logging
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

from stillwatch.actions.decision import ActionKind, Decision
from stillwatch.apps.gateway.plugs.contract import decision_from, exchange_json
from stillwatch.apps.gateway.plugs.undecided import undecidable
from stillwatch.apps.gateway.seams import Arrival, Outcome
from stillwatch.model import UsageError

logger = logging.getLogger("stillwatch.gateway")
UNDECIDED = Decision(ActionKind.OBSERVE, rule="undecided", reason="undecided")  # allowed because nobody could be asked
CLOSED = undecidable(503, "undecided", "The request cannot be checked now. Try again shortly.", retry_after=5)
UNJUDGED = {413: 413, 422: 400}  # what the decide API answers, and what the client of the model is answered
BROKEN = (OSError, TimeoutError, ValueError, KeyError, TypeError, http.client.HTTPException)


@dataclass(frozen=True, slots=True)
class Service:
    """Where the decision is asked for, and what happens to requests while it cannot be."""

    url: str
    token: str = field(repr=False)
    on_failure: str = "closed"  # closed: refuse with 503; open: allow, and say that nobody decided
    timeout: float = 1.0  # seconds for one question

    def __post_init__(self) -> None:
        if urlsplit(self.url).scheme not in ("http", "https") or not urlsplit(self.url).hostname:
            raise UsageError(f"the decide API's address is {self.url!r}; write it like http://127.0.0.1:8087")
        if self.on_failure not in ("open", "closed"):
            raise UsageError(f"on failure is {self.on_failure!r}; write open or closed")

    @classmethod
    def from_environment(cls, given: Mapping[str, str] = os.environ) -> Self:
        """Return what the environment variables say; raises UsageError where one is missing."""
        url, token = given.get("STILLWATCH_DECIDE_URL", ""), given.get("STILLWATCH_DECIDE_TOKEN", "")
        named = (("STILLWATCH_DECIDE_URL", url), ("STILLWATCH_DECIDE_TOKEN", token))
        missing = [name for name, value in named if not value]
        if missing:
            raise UsageError(f"set {' and '.join(missing)}: where the decide API answers, and its token")
        timeout = given.get("STILLWATCH_DECIDE_TIMEOUT", "1")
        try:
            seconds = float(timeout)
        except ValueError:
            raise UsageError(f"STILLWATCH_DECIDE_TIMEOUT is {timeout!r}; write seconds, like 0.5") from None
        return cls(url, token, given.get("STILLWATCH_DECIDE_FAILURE", "closed"), seconds)

    @property
    def headers(self) -> dict[str, str]:
        """Headers of every call."""
        return {"authorization": f"Bearer {self.token}", "content-type": "application/json"}


class Asking:
    """What both clients share. `counts` has: asked, undecided, unjudged, told, untold."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._down = False
        self.counts: Counter[str] = Counter()

    def read(self, status: int, text: bytes) -> Decision:
        """Return the decision that an answer holds; raises one of BROKEN where it holds none."""
        if status in UNJUDGED:  # of the request's own making, so no outage, and no way around the decision
            self.counts["unjudged"] += 1
            logger.warning("a request was refused because it cannot be judged: %s", detail_of(text))
            return undecidable(UNJUDGED[status], "cannot-be-judged", "The request cannot be read.")
        if status != 200:
            raise ValueError(f"it answered {status}: {detail_of(text)}")
        decision = decision_from(json.loads(text))
        self.counts["asked"] += 1
        if self._down:
            self._down = False
            logger.warning("the decide API answers again; %s requests were not decided", self.counts["undecided"])
        return decision

    def failed(self, error: BaseException) -> Decision:
        """Return what is configured for when the decision cannot be had, and say so when that begins."""
        self.counts["asked"] += 1
        self.counts["undecided"] += 1
        closed = self.service.on_failure == "closed"
        if not self._down:
            self._down = True
            then = "refused" if closed else "ALLOWED UNDECIDED"
            logger.error("the decide API fails (%s); until it answers, requests are %s", said_of(error), then)
        return CLOSED if closed else UNDECIDED

    def told(self, exchange_id: str, status: int, text: bytes) -> bool:
        """Return whether an outcome was taken."""
        if status != 200:
            return self.untold(exchange_id, f"{status}: {detail_of(text)}")
        self.counts["told"] += 1
        return True

    def untold(self, exchange_id: str, why: object) -> bool:
        """Count and say that an outcome could not be told."""
        self.counts["untold"] += 1
        logger.error("the outcome of exchange %s could not be told: %s", exchange_id, why)
        return False


def outcome_json(arrival: Arrival, decision: Decision, outcome: Outcome, unguarded: bool = False) -> bytes:
    """Return a body of `POST /v1/outcome` that holds all there is to keep, whichever process reads it."""
    said: dict[str, Any] = {
        "exchange_id": arrival.exchange_id, "status": outcome.status, "input_tokens": outcome.input_tokens,
        "output_tokens": outcome.output_tokens, "artefacts_out": outcome.artefacts_out, "response": outcome.response,
        "exchange": exchange_json(arrival), "unguarded": unguarded,
        "decision": {
            "action": str(decision.action), "rule": decision.rule, "reason": decision.reason,
            "campaign_id": decision.campaign_id, "policy": decision.policy,
        },
    }  # fmt: skip
    return json.dumps(said).encode()


def said_of(error: BaseException) -> str:
    """Return an error as a line of the log has it."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def detail_of(text: bytes) -> str:
    """Return the explanation of a problem."""
    try:
        return str(json.loads(text)["detail"])
    except (ValueError, KeyError, TypeError):
        return "no explanation"
