"""What came back of one question, read from OpenAI's or Anthropic's shape."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stillwatch.integrity.toolcalls.records import ToolCall

_DECLINES = re.compile(
    r"^\W*(?:i['’]?m (?:very |really )?sorry|sorry,|i apologi[sz]e|unfortunately,? i|as an ai\b"
    r"|i['’]m (?:unable|not able)|i (?:can['’]?t|cannot|can not|won['’]?t|will not|am unable|am not able))",
    re.I,
)
REFUSED = frozenset({"refusal", "content_filter"})  # reasons for ending that say so


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `logprobs`: of the first token, by token, where the endpoint tells them."""

    text: str
    seconds: float = 0.0
    output_tokens: int | None = None
    refused: bool = False
    calls: tuple[ToolCall, ...] = ()
    logprobs: Mapping[str, float] = field(default_factory=dict)
    ended: str = ""


def read_answer(shape: str, body: Mapping[str, Any], seconds: float) -> Answer:
    """Read an answer's body. Raises ValueError when it has not the shape of one."""
    try:
        return _message(body, seconds) if shape == "anthropic" else _completion(body, seconds)
    except (KeyError, IndexError, TypeError, AttributeError):
        raise ValueError(f"the body is not an answer in {shape}'s shape") from None


def declines(text: str) -> bool:
    """Whether a text opens as refusals do. It knows English only, and is wrong at times; both sides are read alike."""
    return bool(_DECLINES.match(text))


def _completion(body: Mapping[str, Any], seconds: float) -> Answer:
    choice = body["choices"][0]
    message, ended = choice["message"], str(choice.get("finish_reason") or "")
    text = message.get("content") or message.get("refusal") or ""
    calls = tuple(
        ToolCall(str(each["function"]["name"]), str(each["function"]["arguments"]))
        for each in message.get("tool_calls") or ()
    )
    told = ((choice.get("logprobs") or {}).get("content") or [{}])[0]
    logprobs = {str(each["token"]): float(each["logprob"]) for each in [told, *told.get("top_logprobs", ())] if each}
    refused = bool(message.get("refusal")) or ended in REFUSED or declines(text)
    return Answer(text, seconds, _count(body, "completion_tokens"), refused, calls, logprobs, ended)


def _message(body: Mapping[str, Any], seconds: float) -> Answer:
    blocks, ended = body["content"], str(body.get("stop_reason") or "")
    text = "".join(each["text"] for each in blocks if each["type"] == "text")
    calls = tuple(
        ToolCall(str(each["name"]), json.dumps(each["input"], ensure_ascii=False))
        for each in blocks
        if each["type"] == "tool_use"
    )
    return Answer(text, seconds, _count(body, "output_tokens"), ended in REFUSED or declines(text), calls, {}, ended)


def _count(body: Mapping[str, Any], name: str) -> int | None:
    told = (body.get("usage") or {}).get(name)
    return told if isinstance(told, int) else None
