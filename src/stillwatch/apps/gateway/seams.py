"""What the parts of the gateway hand to each other. Everything here is sync, and runs on every request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from stillwatch.actions.decision import Decision


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request as it arrived: what the decision and the exchange log need. Names are those of the exchange log."""

    exchange_id: str
    ts: int  # µs since 1970, UTC
    account_id: str
    api: str  # openai, anthropic
    endpoint: str  # chat.completions, responses, embeddings, models, messages, count_tokens
    model: str = ""
    prompt: str | None = field(default=None, repr=False)  # last user message
    system_prompt: str | None = field(default=None, repr=False)
    tools: tuple[str, ...] = ()
    turns: int = 1
    max_tokens: int | None = None
    temperature: float | None = None
    n: int | None = None
    stream: bool = False
    ip: str | None = None
    asn: int | None = None
    country: str | None = None
    user_agent: str | None = None
    tls_fingerprint: str | None = None
    api_key_id: str | None = None
    channel: str | None = None
    artefacts_in: tuple[str, ...] = ()  # keyed hashes
    handle: str | None = None  # what its handles come to, where any are bound: bound, or why one fails
    claims: Mapping[str, str] | None = None  # what a signed header says of the account: columns of the accounts table


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an exchange ended."""

    status: int  # 0: nobody reported how it ended; the log then has none
    input_tokens: int | None = None
    output_tokens: int | None = None
    artefacts_out: tuple[str, ...] = ()  # keyed hashes
    response: str | None = field(default=None, repr=False)


class Decider(Protocol):
    """Says what to do about a request."""

    def decide(self, arrival: Arrival) -> Decision:
        """Return the decision; never raises, and never waits."""

    def settle(self, arrival: Arrival, decision: Decision, outcome: Outcome) -> None:
        """Take the exchange into the account's rolling sketch and budgets once it is over."""


class Recorder(Protocol):
    """Keeps exchanges durably."""

    def record(self, arrival: Arrival, decision: Decision, outcome: Outcome) -> None:
        """Keep an exchange; when this returns, a SIGKILL of the process cannot lose it.

        Raises RecordingFailed where the disk is full or too slow and the configuration says to fail closed.
        """


class RecordingFailed(Exception):
    """An exchange cannot be kept, and the configuration says that it then must not be answered."""
