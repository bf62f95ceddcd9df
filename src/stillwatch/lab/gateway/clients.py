"""Clients of a demonstration: the SDKs of two providers, with the words, addresses and tools of a log's accounts."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stillwatch.lab.gateway.wording import ANTHROPIC, body_of, origin_of, path_of
from stillwatch.model import MissingDependency

INSTALL = "pip install 'stillwatch[demo]'"
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answered:
    """What a client was told."""

    party: str  # first pool, second pool, innocent
    account_id: str
    status: int
    reason: str  # of a refusal
    api: str
    stream: bool
    at: float  # monotonic

    @property
    def served(self) -> bool:
        """Whether it got what it asked for."""
        return self.status == 200

    @property
    def refused(self) -> bool:
        """Whether the gateway's policy refused it."""
        return self.status in (403, 429) and bool(self.reason)


class Clients:
    """Both SDKs, against one gateway. Each call is one account's."""

    def __init__(self, url: str, keys: Mapping[str, str]) -> None:
        try:
            import anthropic
            import openai
        except ImportError as error:
            raise MissingDependency(f"the demonstration needs {error.name}: {INSTALL}") from error
        self._keys = keys
        self._sdks = (anthropic, openai)
        self._anthropic = anthropic.Anthropic(base_url=url, api_key="none", max_retries=0, timeout=30)
        self._openai = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=30)

    def ask(self, party: str, row: Row, stream: bool) -> Answered:
        """Ask as a row of the log did."""
        api = "anthropic" if path_of(row) == ANTHROPIC else "openai"
        status, reason = 200, ""
        try:
            self._anthropic_call(row, stream) if api == "anthropic" else self._openai_call(row, stream)
        except tuple(sdk.APIStatusError for sdk in self._sdks) as error:
            status, reason = error.status_code, error.response.headers.get("x-stillwatch-reason", "")
        except tuple(sdk.APIError for sdk in self._sdks):
            status = 0
        return Answered(party, row["account_id"], status, reason, api, stream, time.monotonic())

    def close(self) -> None:
        """Close the connections."""
        self._anthropic.close()
        self._openai.close()

    def _openai_call(self, row: Row, stream: bool) -> None:
        told = body_of(row) | {"stream": stream}
        sdk = self._openai.with_options(api_key=self._keys[row["account_id"]], default_headers=origin_of(row))
        answer = sdk.chat.completions.create(**told)
        if stream:
            for _ in answer:
                pass

    def _anthropic_call(self, row: Row, stream: bool) -> None:
        told = {"max_tokens": 1_024} | body_of(row) | {"stream": stream}
        more = {name: told.pop(name) for name in ("temperature",) if name in told}  # no argument of the newest SDKs
        sdk = self._anthropic.with_options(api_key=self._keys[row["account_id"]], default_headers=origin_of(row))
        answer = sdk.messages.create(**told, extra_body=more)
        if stream:
            for _ in answer:
                pass


class Party(threading.Thread):
    """Some accounts that ask at a steady rate, until they are told to end or have nothing more to ask."""

    def __init__(
        self, name: str, clients: Clients, rows: Sequence[Row], rate: float, told: Callable[[Answered], None]
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._clients, self._rows, self._pause, self._told = clients, rows, 1 / rate, told
        self._over = threading.Event()
        self.error: Exception | None = None

    def run(self) -> None:
        """Ask and ask; every third request is a stream."""
        try:
            for number, row in zip(itertools.count(), self._rows):
                if self._over.wait(self._pause):
                    return
                self._told(self._clients.ask(self.name, row, number % 3 == 0))
        except Exception as error:  # told by whoever waits for it
            self.error = error

    def end(self) -> None:
        """Stop asking, and wait for what is under way."""
        self._over.set()
        self.join()
        if self.error is not None:
            raise self.error
