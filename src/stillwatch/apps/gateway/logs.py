"""Structured logs: one JSON object a line, with keys of a fixed list, so that no prompt, key or secret can be in it.

What a message says is its name, as written in our code. Words of other libraries can hold anything: of those only who
spoke, how urgently, and from which line is told. So it is with exceptions: the kind and the place, not the words, which
may quote what was stumbled on.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
import traceback
from dataclasses import dataclass
from functools import lru_cache
from typing import IO, Any
from zlib import crc32

from stillwatch.actions.decision import ALTERS, REFUSES, Decision
from stillwatch.apps.gateway.recording.decided import said
from stillwatch.apps.gateway.seams import Arrival, Outcome

TEXTS = (
    "exchange_id", "account_id", "api", "endpoint", "model", "channel", "decision", "would", "rule", "reason",
    "campaign_id", "policy", "kind", "detail", "what", "why", "file", "upstream", "version", "state", "actor", "action",
    "route", "listen",
)  # fmt: skip
NUMBERS = (
    "status", "input_tokens", "output_tokens", "duration_ms", "added_ms", "offset", "bytes", "count", "lost",
    "lost_total", "free_bytes", "worker", "workers", "pid", "port", "seconds", "at_once",
)  # fmt: skip
_TEXTS, _NUMBERS = frozenset(TEXTS), frozenset(NUMBERS)
LONGEST = 200  # characters of one value
PLAIN = re.compile(r"[^\w .,:;@/+()\[\]'<>=%-]")
SECRET = re.compile(r"(?i)\b(sk|pk|rk|key|xox[abp]|gh[pousr]|glpat|eyJ)[-_][\w.-]{8,}|\bbearer\s+\S+|\beyJ[\w.-]{16,}")
NAME = re.compile(r"[a-z]+(-[a-z]+){0,5}")
REQUEST, UNNAMED = "request", "unnamed"
logger = logging.getLogger("stillwatch.gateway.request")


class JsonLines(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line: time, level, who speaks, what is said, and the known keys that were given with it."""
        moment = _second(int(record.created))
        line: dict[str, Any] = {
            "ts": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": event_of(record.msg),
        }
        if line["event"] == UNNAMED:
            line["at"] = f"{record.filename}:{record.lineno}"
        for name, value in record.__dict__.items():
            if name in _TEXTS:
                if value is not None:
                    line[name] = plain(value)
            elif name in _NUMBERS and isinstance(value, int | float):
                line[name] = value
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["at"] = _place(record.exc_info[2])
        return json.dumps(line, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class RequestLog:
    """One line a request. Refused, altered and failed ones always; of the others the share `sample`."""

    sample: float = 0.0

    def request(self, arrival: Arrival, decision: Decision, outcome: Outcome, seconds: tuple[float, float]) -> None:
        """Say how a request went; `seconds` are all of it, and the gateway's own part."""
        remarkable = outcome.status >= 400 or decision.action in REFUSES or decision.action in ALTERS
        if not remarkable and not self._chosen(arrival.exchange_id):
            return
        level = logging.WARNING if outcome.status >= 500 else logging.INFO
        if not logger.isEnabledFor(level):
            return
        whole, own = seconds
        done, would = said(decision)
        known = {
            "exchange_id": arrival.exchange_id, "account_id": arrival.account_id, "api": arrival.api,
            "endpoint": arrival.endpoint, "channel": arrival.channel, "status": outcome.status,
            "decision": done.value, "would": would and would.value, "rule": decision.rule or None,
            "reason": decision.reason or None,
            "campaign_id": decision.campaign_id, "input_tokens": outcome.input_tokens,
            "output_tokens": outcome.output_tokens, "duration_ms": round(whole * 1e3, 3),
            "added_ms": round(own * 1e3, 3),
            # a client's own word until a model of that name has answered
            "model": arrival.model if outcome.status < 400 else None,
        }  # fmt: skip
        logger.log(level, REQUEST, extra=known)

    def _chosen(self, exchange_id: str) -> bool:
        """The same for one exchange in every part of the gateway."""
        return self.sample >= 1.0 or crc32(exchange_id.encode("utf-8", "replace")) < self.sample * 2**32


def configure(level: str = "info", stream: IO[str] | None = None) -> logging.Handler:
    """Send everything that is logged in this process to a stream (stderr) as lines of JSON; return the handler."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "aiohttp.access"):
        other = logging.getLogger(name)
        other.handlers.clear()
        other.propagate = name != "uvicorn.access" and name != "aiohttp.access"
    return handler


def event_of(message: object) -> str:
    """Return the name of what is said, if it is one."""
    named = isinstance(message, str) and NAME.fullmatch(message) and not SECRET.search(message)
    return str(message) if named else UNNAMED


def plain(value: object) -> str:
    """Return a value as short plain text with nothing in it that looks like a key."""
    text = value if isinstance(value, str) else str(value)
    return _plain(text[:LONGEST])


@lru_cache(maxsize=4_096)  # most values come again and again
def _plain(text: str) -> str:
    return SECRET.sub("[secret]", PLAIN.sub("?", text))


@lru_cache(maxsize=8)
def _second(moment: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))


def _place(trace: Any) -> str:
    """Where an exception was raised: file and line."""
    frames = traceback.extract_tb(trace)
    return f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
