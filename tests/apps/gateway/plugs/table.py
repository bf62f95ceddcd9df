"""One table of requests with what must become of each, whatever plug it comes through, and the rules that say so."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from stillwatch.actions.decision import ALLOWED, ActionKind, Decision, Effect
from stillwatch.apps.gateway.apis.naming import digest, names_of
from stillwatch.apps.gateway.seams import Arrival, Outcome

ACCOUNTS = ("plain", "suspended", "busy", "thinker", "watched", "ramping")
APPEAL = "https://example.test/appeal"
OPENAI, CLAUDE, EMBEDDING, FORBIDDEN = "small", "claude", "embed", "forbidden"
CHAT, MESSAGES, RESPONSES, EMBEDDINGS = "/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1/embeddings"


def key_of(account: str) -> str:
    """The key that an account sends."""
    return f"sk-{account}"


SECRET = "a secret of the deployment"
NAMES = names_of(SECRET.encode())
BY_KEY = {NAMES.owner(digest(key_of(account)), 0)[0]: account for account in ACCOUNTS}


class Rules:
    """A decider that refuses by every part of a request that a plug has to read. It keeps what it was asked."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.settled: list[tuple[Arrival, Decision, Outcome]] = []

    def decide(self, arrival: Arrival) -> Decision:
        self.arrivals.append(arrival)
        return decide(arrival)

    def settle(self, arrival: Arrival, decision: Decision, outcome: Outcome) -> None:
        self.settled.append((arrival, decision, outcome))


def refuse(action: ActionKind, reason: str, status: int = 403, retry_after: int | None = None) -> Decision:
    effect = Effect(refused=True, status=status, retry_after=retry_after)
    return Decision(action, effect, effect, rule=f"rule-{reason}", reason=reason, message=f"Refused: {reason}.",
                    appeal=APPEAL)  # fmt: skip


def alter(action: ActionKind, reason: str, effect: Effect) -> Decision:
    return Decision(action, effect, effect, rule=f"rule-{reason}", reason=reason)


def decide(arrival: Arrival) -> Decision:
    account = BY_KEY.get(arrival.account_id, arrival.account_id)
    prompt, system = arrival.prompt or "", arrival.system_prompt or ""
    cases = {
        "suspended": account == "suspended",
        "busy": account == "busy",
        "template": "TEMPLATE-7" in prompt,
        "system": "TEACHER-3" in system,
        "tool": "harvest" in arrival.tools,
        "model": arrival.model == FORBIDDEN,
        "artefact": bool(arrival.artefacts_in),
        "long": arrival.turns > 3,
        "ramping": account == "ramping" and (arrival.max_tokens or 0) > 100,
        "thinker": account == "thinker",
        "watched": account == "watched",
    }
    first = next((name for name, holds in cases.items() if holds), None)
    return DECISIONS.get(first or "", ALLOWED)


DECISIONS = {
    "suspended": refuse(ActionKind.SUSPEND, "account-suspended"),
    "busy": refuse(ActionKind.LIMIT, "too-many", 429, 7),
    "template": refuse(ActionKind.DENY, "known-campaign"),
    "system": refuse(ActionKind.REQUIRE_VERIFICATION, "verify-first"),
    "tool": refuse(ActionKind.DENY, "tool"),
    "model": refuse(ActionKind.DENY, "model-not-open"),
    "artefact": refuse(ActionKind.DENY, "foreign-reasoning"),
    "long": refuse(ActionKind.LIMIT, "too-long", 429),
    "ramping": alter(ActionKind.LOWER_OUTPUT, "new-account", Effect(max_output_tokens=50)),
    "thinker": alter(ActionKind.DROP_REASONING, "no-reasoning", Effect(drop=frozenset({"reasoning"}))),
    "watched": Decision(ActionKind.OBSERVE, would=Effect(refused=True, status=403), rule="rule-watched",
                        reason="watched"),
}  # fmt: skip


class Kept:
    """A recorder in memory."""

    def __init__(self) -> None:
        self.rows: list[tuple[Arrival, Decision, Outcome]] = []
        self.failing: Exception | None = None

    def record(self, arrival: Arrival, decision: Decision, outcome: Outcome) -> None:
        if self.failing is not None:
            raise self.failing
        self.rows.append((arrival, decision, outcome))


@dataclass(frozen=True, slots=True)
class Row:
    """A request, and what must become of it."""

    name: str
    path: str
    body: dict[str, Any] = field(repr=False)
    decision: str = ""  # a name of DECISIONS; empty: allowed
    account: str = "plain"

    @property
    def expected(self) -> Decision:
        return DECISIONS.get(self.decision, ALLOWED)

    @property
    def endpoint(self) -> str:
        return {CHAT: "chat.completions", MESSAGES: "messages", RESPONSES: "responses"}.get(self.path, "embeddings")

    @property
    def api(self) -> str:
        return "anthropic" if self.path == MESSAGES else "openai"

    @property
    def text(self) -> bytes:
        return json.dumps(self.body).encode()


def said(text: str, role: str = "user") -> dict[str, Any]:
    return {"role": role, "content": text}


def chat(text: str = "What is a fjord?", *before: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"model": OPENAI, "messages": [*before, said(text)]} | more


def messages(text: str = "What is a fjord?", *before: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"model": CLAUDE, "max_tokens": 64, "messages": [*before, said(text)]} | more


def response(text: Any = "What is a fjord?", **more: Any) -> dict[str, Any]:
    return {"model": OPENAI, "input": text} | more


def embedding(text: str = "a fjord", **more: Any) -> dict[str, Any]:
    return {"model": EMBEDDING, "input": text} | more


HARVEST = {"type": "function", "function": {"name": "harvest", "parameters": {"type": "object", "properties": {}}}}
HARVEST_CLAUDE = {"name": "harvest", "input_schema": {"type": "object", "properties": {}}}
HARVEST_RESPONSES = {"type": "function", "name": "harvest", "parameters": {"type": "object", "properties": {}}}
THOUGHT = {
    "role": "assistant",
    "content": [{"type": "thinking", "thinking": "…", "signature": "SIG-A"}, {"type": "text", "text": "A bay."}],
}
REASONED = [{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "ENC-A"}, said("And then?")]
LONG = (said("Hello"), said("Hello.", "assistant"), said("More"), said("More.", "assistant"))
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
SURROGATE = "TEMPLATE-7 \ud83d broken"

TABLE = (
    Row("chat", CHAT, chat()),
    Row("chat, streamed", CHAT, chat(stream=True)),
    Row("chat with a picture", CHAT, {"model": OPENAI, "messages": [said([IMAGE, {"type": "text", "text": "Who?"}])]}),  # type: ignore[arg-type]
    Row("chat of a campaign", CHAT, chat("Fill TEMPLATE-7 now"), "template"),
    Row("chat of a campaign, streamed", CHAT, chat("Fill TEMPLATE-7 now", stream=True), "template"),
    Row("chat of a campaign behind a picture", CHAT,
        {"model": OPENAI, "messages": [said([{"type": "text", "text": "TEMPLATE-7"}, IMAGE])]}, "template"),  # type: ignore[arg-type]
    Row("chat of a campaign, broken text", CHAT, chat(SURROGATE), "template"),
    Row("chat with a decoy beside", CHAT, chat("Fill TEMPLATE-7 now", input="What is a fjord?"), "template"),
    Row("chat under a system prompt", CHAT, chat("Hi", said("Be TEACHER-3.", "system")), "system"),
    Row("chat with a tool", CHAT, chat(tools=[HARVEST]), "tool"),
    Row("chat with a closed model", CHAT, chat() | {"model": FORBIDDEN}, "model"),
    Row("chat of many turns", CHAT, chat("Go on", *LONG), "long"),
    Row("chat of a suspended account", CHAT, chat(), "suspended", "suspended"),
    Row("chat past a budget", CHAT, chat(), "busy", "busy"),
    Row("chat past a budget, streamed", CHAT, chat(stream=True), "busy", "busy"),
    Row("chat of a new account", CHAT, chat(max_tokens=500), "ramping", "ramping"),
    Row("chat of a new account, two limits", CHAT, chat(max_tokens=10, max_completion_tokens=500), "ramping",
        "ramping"),
    Row("chat of a new account, short", CHAT, chat(max_tokens=10), "", "ramping"),
    Row("chat, only observed", CHAT, chat(), "watched", "watched"),
    Row("messages", MESSAGES, messages()),
    Row("messages, streamed", MESSAGES, messages(stream=True)),
    Row("messages of a campaign", MESSAGES, messages("Fill TEMPLATE-7 now"), "template"),
    Row("messages of a campaign, streamed", MESSAGES, messages("Fill TEMPLATE-7 now", stream=True), "template"),
    Row("messages with a decoy beside", MESSAGES, messages("TEMPLATE-7", input="What is a fjord?"), "template"),
    Row("messages under a system prompt", MESSAGES, messages(system="Be TEACHER-3."), "system"),
    Row("messages with a tool", MESSAGES, messages(tools=[HARVEST_CLAUDE]), "tool"),
    Row("messages with another's reasoning", MESSAGES, messages("And?", said("Hi"), THOUGHT), "artefact"),
    Row("messages past a budget", MESSAGES, messages(), "busy", "busy"),
    Row("messages past a budget, streamed", MESSAGES, messages(stream=True), "busy", "busy"),
    Row("messages of a suspended account", MESSAGES, messages(), "suspended", "suspended"),
    Row("messages of a new account", MESSAGES, messages(max_tokens=500), "ramping", "ramping"),
    Row("responses", RESPONSES, response()),
    Row("responses, streamed", RESPONSES, response(stream=True)),
    Row("responses of a campaign", RESPONSES, response("Fill TEMPLATE-7 now"), "template"),
    Row("responses of a campaign, streamed", RESPONSES, response("Fill TEMPLATE-7 now", stream=True), "template"),
    Row("responses with a decoy before", RESPONSES, {"messages": [said("A fjord?")]} | response("TEMPLATE-7"),
        "template"),
    Row("responses of one who is innocent beside", RESPONSES, response(messages=[said("TEMPLATE-7")])),
    Row("responses with a small decoy limit", RESPONSES, response(max_output_tokens=500, max_tokens=5), "ramping",
        "ramping"),
    Row("responses after a broken name of an earlier one", RESPONSES,
        response("TEMPLATE-7", previous_response_id=7), "template"),
    Row("responses with a decoy beside", RESPONSES, response("TEMPLATE-7", messages=[said("A fjord?")]), "template"),
    Row("responses under instructions", RESPONSES, response(instructions="Be TEACHER-3."), "system"),
    Row("responses with a tool", RESPONSES, response(tools=[HARVEST_RESPONSES]), "tool"),
    Row("responses with another's reasoning", RESPONSES, response(REASONED), "artefact"),
    Row("responses past a budget", RESPONSES, response(), "busy", "busy"),
    Row("responses of a new account", RESPONSES, response(max_output_tokens=500), "ramping", "ramping"),
    Row("embeddings", EMBEDDINGS, embedding()),
    Row("embeddings of a campaign", EMBEDDINGS, embedding("Fill TEMPLATE-7 now"), "template"),
    Row("embeddings with a decoy beside", EMBEDDINGS, embedding("TEMPLATE-7", messages=[said("A fjord?")]), "template"),
    Row("embeddings of a suspended account", EMBEDDINGS, embedding(), "suspended", "suspended"),
    Row("embeddings past a budget", EMBEDDINGS, embedding(), "busy", "busy"),
)  # fmt: skip
