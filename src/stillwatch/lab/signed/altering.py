"""Ways to alter a signed answer, each with the name of the fault that a checker must find."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stillwatch.integrity.signing.checking import Check, Checker, Expected, Fault, Rules
from stillwatch.integrity.signing.events import DONE
from stillwatch.integrity.signing.keys import KeyRing, PublicKeys, new_ring, revoke, rotate
from stillwatch.integrity.signing.reading import CHAT
from stillwatch.integrity.signing.received import receive
from stillwatch.integrity.signing.record import FIELD, place_of
from stillwatch.integrity.signing.sse import Events, data_of
from stillwatch.lab.signed.samples import NOW, Sample, write_event

Json = dict[str, Any]
SAID = ("content", "reasoning_content", "arguments", "text", "thinking", "partial_json", "delta")  # fields of deltas
TOOLS_TOO = (Fault.TOOLS, Fault.DROPPED)


@dataclass(frozen=True, slots=True)
class Altered:
    """An altered answer, what it is checked with, and which faults name it."""

    how: str
    answer: bytes
    request: Json
    names: tuple[Fault, ...]
    keys: PublicKeys | None = None
    now: int = NOW


Alter = Callable[[random.Random, Sample], Altered | None]


def check_altered(altered: Altered, keys: PublicKeys) -> Check:
    """Return what a checker finds."""
    checker = Checker(altered.keys or keys, Rules(now=lambda: altered.now * 1_000_000))
    return checker.check(receive(altered.answer), Expected(altered.request))


def is_named(altered: Altered, check: Check) -> bool:
    """Say whether it was rejected, and by its name."""
    return not check.genuine and any(check.names(fault) for fault in altered.names)


def alter(chance: random.Random, sample: Sample, ring: KeyRing) -> Altered:
    """Return an answer altered in a way that fits it."""
    ways = (*(STREAM if sample.stream else WHOLE), *BOTH)
    while True:
        way = chance.choice(ways)
        found = _keys(chance, sample, ring) if way is None else way(chance, sample)
        if found is not None:
            return found


def fields_of(told: Any, names: tuple[str, ...]) -> list[tuple[Json, str]]:
    """Return every field with one of the names that holds some text, wherever it is; not in the receipt."""
    found = []
    if isinstance(told, dict):
        for name, value in told.items():
            if name in names and isinstance(value, str) and value:
                found.append((told, name))
            elif name != FIELD:
                found += fields_of(value, names)
    elif isinstance(told, list):
        for each in told:
            found += fields_of(each, names)
    return found


def events_of(sample: Sample) -> list[Json | None]:
    """Return a stream's events; None stands for the end of a chat."""
    return [None if data_of(each) == DONE else json.loads(data_of(each)) for each in Events().feed(sample.answer)]


def written(events: list[Json | None]) -> bytes:
    """Return events as a relay writes them anew."""
    return b"".join(b"data: [DONE]\n\n" if each is None else write_event(each) for each in events)


def changed_text(chance: random.Random, text: str) -> str:
    """Return another text: a letter changed, put in or taken out."""
    at = chance.randrange(len(text))
    other = chr(ord("b") if text[at] == "a" else ord("a"))
    return chance.choice(
        (text[:at] + other + text[at + 1 :], text[:at] + other + text[at:], text[:at] + text[at + 1 :])
    )


def kinds_of(name: str, holder: Json) -> tuple[Fault, ...]:
    """Return the faults that name a change in a field."""
    if name in ("arguments", "partial_json", "name", "input"):
        return TOOLS_TOO
    if name in ("reasoning_content", "thinking") or holder.get("type") == "summary_text":
        return (Fault.REASONING, Fault.DROPPED)
    return (Fault.TEXT, Fault.DROPPED)


def _whole(sample: Sample, change: Callable[[Json], tuple[Fault, ...] | None], how: str) -> Altered | None:
    told = json.loads(sample.answer)
    names = change(told)
    return None if names is None else Altered(how, json.dumps(told).encode(), sample.request, names)


def _words(chance: random.Random, sample: Sample) -> Altered | None:
    def change(told: Json) -> tuple[Fault, ...] | None:
        fields = fields_of(told, ("content", "reasoning_content", "arguments", "text", "thinking"))
        holder, name = chance.choice(fields)
        holder[name] = changed_text(chance, holder[name])
        return kinds_of(name, holder)

    return _whole(sample, change, "a letter")


def _calls(told: Json) -> list[tuple[Json, str]]:
    """Every call's arguments."""
    found = fields_of(told, ("arguments",))
    return found or [(each, "input") for each in told.get("content", ()) if each.get("type") == "tool_use"]


def _swap(chance: random.Random, sample: Sample) -> Altered | None:
    def change(told: Json) -> tuple[Fault, ...] | None:
        calls = _calls(told)
        if len(calls) < 2:
            return None
        (one, name), (other, _) = chance.sample(calls, 2)
        one[name], other[name] = other[name], one[name]
        return (Fault.TOOLS,)

    return _whole(sample, change, "swapped arguments")


def _argument(chance: random.Random, sample: Sample) -> Altered | None:
    def change(told: Json) -> tuple[Fault, ...] | None:
        calls = _calls(told)
        if not calls:
            return None
        holder, name = chance.choice(calls)
        inner = json.loads(holder[name]) if name == "arguments" else holder[name]
        inner["to"] = "attacker"
        holder[name] = json.dumps(inner) if name == "arguments" else inner
        return (Fault.TOOLS,)

    return _whole(sample, change, "an argument")


def _added_call(chance: random.Random, sample: Sample) -> Altered | None:
    del chance

    def change(told: Json) -> tuple[Fault, ...]:
        if "choices" in told:
            call = {"id": "x", "type": "function", "function": {"name": "pay", "arguments": "{}"}}
            message = told["choices"][0]["message"]
            message["tool_calls"] = [*message.get("tool_calls", ()), call]
        elif "output" in told:
            told["output"].append({"type": "function_call", "call_id": "x", "name": "pay", "arguments": "{}"})
        else:
            told["content"].append({"type": "tool_use", "id": "x", "name": "pay", "input": {}})
        return (Fault.TOOLS,)

    return _whole(sample, change, "an added call")


def _model(chance: random.Random, sample: Sample) -> Altered | None:
    def change(told: Json) -> tuple[Fault, ...]:
        told["model"] = told["model"] + chance.choice(("-mini", "x"))
        return (Fault.MODEL,)

    return _whole(sample, change, "the model")


def _finish(chance: random.Random, sample: Sample) -> Altered | None:
    del chance

    def change(told: Json) -> tuple[Fault, ...]:
        holder, name = (told["choices"][0], "finish_reason") if "choices" in told else (told, "stop_reason")
        if "output" in told:
            name = "status"
        holder[name] = "incomplete"
        return (Fault.FINISH,)

    return _whole(sample, change, "the reason of its end")


def _usage(chance: random.Random, sample: Sample) -> Altered | None:
    def change(told: Json) -> tuple[Fault, ...]:
        name = chance.choice([each for each in told["usage"] if not each.startswith("total")])
        told["usage"][name] += chance.randint(1, 999)
        return (Fault.USAGE,)

    return _whole(sample, change, "the tokens")


def _cut(chance: random.Random, sample: Sample) -> Altered | None:
    at = chance.randrange(1, len(sample.answer.rstrip()))
    return Altered("cut off", sample.answer[:at], sample.request, (Fault.TRUNCATED,))


def _twice(chance: random.Random, sample: Sample) -> Altered | None:
    del chance
    told = json.loads(sample.answer)
    name = next(each for each in ("choices", "output", "content") if each in told)
    body = sample.answer.rstrip()[:-1] + f', "{name}": []}}'.encode()
    return Altered("a name twice", body, sample.request, (Fault.UNREADABLE,))


def _stream(sample: Sample, events: list[Json | None], how: str, *names: Fault) -> Altered:
    return Altered(how, written(events), sample.request, names)


def _deltas(events: list[Json | None]) -> list[int]:
    """Where the events are that say something piece by piece."""
    return [at for at, each in enumerate(events) if each is not None and _is_delta(each)]


def _is_delta(event: Json) -> bool:
    kind = str(event.get("type", "")).endswith("delta") and event.get("type") != "message_delta"
    return bool((kind or "choices" in event) and fields_of(event, SAID))


def _delta_text(chance: random.Random, sample: Sample) -> Altered | None:
    events = copy.deepcopy(events_of(sample))
    event = events[chance.choice(_deltas(events))]
    holder, name = chance.choice(fields_of(event, SAID))
    holder[name] = changed_text(chance, holder[name])
    return _stream(sample, events, "a letter", Fault.TEXT, Fault.TOOLS, Fault.REASONING, Fault.DROPPED)


def _dropped(chance: random.Random, sample: Sample) -> Altered | None:
    events = events_of(sample)
    del events[chance.choice(_deltas(events))]
    return _stream(sample, events, "a dropped event", Fault.DROPPED)


def _dropped_tail(chance: random.Random, sample: Sample) -> Altered | None:
    """The end of what was said is gone, but the stream ends as it should, receipt included."""
    events = events_of(sample)
    said = _deltas(events)
    gone = set(said[chance.randrange(len(said)) :])
    return _stream(sample, [each for at, each in enumerate(events) if at not in gone], "a dropped tail", Fault.DROPPED)


def _reordered(chance: random.Random, sample: Sample) -> Altered | None:
    events = events_of(sample)
    at, other = chance.sample(_deltas(events), 2) if len(_deltas(events)) > 1 else (0, 0)
    if at == other or events[at] == events[other]:
        return None
    events[at], events[other] = events[other], events[at]
    return _stream(sample, events, "two events in each other's place", Fault.REORDERED)


def _repeated(chance: random.Random, sample: Sample) -> Altered | None:
    events = events_of(sample)
    at = chance.choice(_deltas(events))
    events.insert(at, events[at])
    return _stream(sample, events, "a repeated event", Fault.TEXT, Fault.TOOLS, Fault.REASONING)


def _stream_model(chance: random.Random, sample: Sample) -> Altered | None:
    events = copy.deepcopy(events_of(sample))
    fields = fields_of(events, ("model",))
    for holder, name in fields if chance.random() < 0.5 else [chance.choice(fields)]:
        holder[name] += "-mini"
    return _stream(sample, events, "the model", Fault.MODEL)


def _stream_finish(chance: random.Random, sample: Sample) -> Altered | None:
    del chance
    events = copy.deepcopy(events_of(sample))
    names = ("finish_reason", "stop_reason") if sample.endpoint != "responses" else ()
    fields = fields_of(events, names)
    fields += [(each["response"], "status") for each in events if each and each.get("type") == "response.completed"]
    holder, name = fields[-1]
    holder[name] = "length"
    return _stream(sample, events, "the reason of its end", Fault.FINISH)


def _stream_cut(chance: random.Random, sample: Sample) -> Altered | None:
    """Nothing comes after a point before the event that carries the receipt."""
    end = sample.answer.index(f'"{FIELD}":'.encode())
    start = sample.answer.rindex(b"\n\n", 0, end) + 2
    return Altered("cut off", sample.answer[: chance.randrange(1, start)], sample.request, (Fault.TRUNCATED,))


def _stripped(chance: random.Random, sample: Sample) -> Altered | None:
    del chance
    told: Any = events_of(sample) if sample.stream else [json.loads(sample.answer)]
    for each in told:
        if each is not None:
            place_of(each).pop(FIELD, None)
    body = written(told) if sample.stream else json.dumps(told[0]).encode()
    return Altered("no receipt", body, sample.request, (Fault.UNSIGNED,))


def _receipt(chance: random.Random, sample: Sample) -> Altered | None:
    """Something in the receipt is changed."""
    told: Any = events_of(sample) if sample.stream else [json.loads(sample.answer)]
    places = [place_of(each) for each in told if each is not None]
    receipt = next(each[FIELD] for each in places if FIELD in each)
    fields = [each for each in fields_of(receipt, tuple(receipt["record"])) if each[1] != "kid"]
    fields += [(receipt, "signature"), *((receipt["record"]["content"], kind) for kind in receipt["record"]["content"])]
    holder, name = chance.choice(fields)
    holder[name] = changed_text(chance, holder[name])
    body = written(told) if sample.stream else json.dumps(told[0]).encode()
    return Altered("the receipt", body, sample.request, (Fault.FORGED,))


def _asked(chance: random.Random, sample: Sample) -> Altered | None:
    request = copy.deepcopy(sample.request)
    holder, name = chance.choice(fields_of(request, ("content", "input")))
    holder[name] = changed_text(chance, holder[name])
    return Altered("another question", sample.answer, request, (Fault.REQUEST,))


def _asked_tools(chance: random.Random, sample: Sample) -> Altered | None:
    del chance
    request = sample.request | {"tools": [{"type": "function", "function": {"name": "pay"}}]}
    return Altered("other tools", sample.answer, request, (Fault.REQUEST,))


def _asked_model(chance: random.Random, sample: Sample) -> Altered | None:
    del chance
    request = sample.request | {"model": "model-of-the-best"}
    return Altered("another model than was asked", sample.answer, request, (Fault.MODEL,))


def _late(chance: random.Random, sample: Sample) -> Altered | None:
    return Altered("long ago", sample.answer, sample.request, (Fault.STALE,), now=NOW + 3_600 + chance.randrange(10**6))


def _keys(chance: random.Random, sample: Sample, ring: KeyRing) -> Altered:
    kid = ring.keys[-1].public.kid
    keys, fault = chance.choice((
        (new_ring(ring.issuer, NOW).public(), Fault.UNKNOWN_KEY),
        (revoke(ring, kid, NOW + 1, "stolen").public(), Fault.REVOKED_KEY),
        (rotate(ring, NOW - 7_200, 0, 3_600).public(), Fault.EXPIRED_KEY),
    ))  # fmt: skip
    return Altered(f"{fault.value}", sample.answer, sample.request, (fault,), keys)


BOTH: tuple[Alter | None, ...] = (
    _stripped,
    _receipt,
    _asked,
    _asked_tools,
    _asked_model,
    _late,
    None,
)  # None: the keys
WHOLE: tuple[Alter, ...] = (
    _words, _words, _swap, _argument, _added_call, _model, _finish, _usage, _cut, _twice,
)  # fmt: skip
STREAM: tuple[Alter, ...] = (
    _delta_text, _delta_text, _dropped, _dropped_tail, _reordered, _repeated, _stream_model, _stream_finish,
    _stream_cut,
)  # fmt: skip
__all__ = ["CHAT", "Altered", "alter", "check_altered", "is_named"]
