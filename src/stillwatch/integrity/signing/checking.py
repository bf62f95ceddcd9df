"""Checks an answer against its receipt, its question and the published keys, and names what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from stillwatch.integrity.signing.asked import read_asked
from stillwatch.integrity.signing.canonical import canonical, decode, encode
from stillwatch.integrity.signing.keys import PublicKeys
from stillwatch.integrity.signing.received import Received
from stillwatch.integrity.signing.record import Receipt, Record, chain_of, finish_of, is_sound
from stillwatch.integrity.signing.replay import Seen
from stillwatch.model import MissingDependency

try:
    from joserfc import jws
    from joserfc.errors import JoseError
    from joserfc.jwk import OKPKey
except ImportError as error:
    raise MissingDependency("signed answers need joserfc: pip install 'stillwatch[integrity]'") from error

SECOND = 1_000_000  # µs


class Fault(StrEnum):
    """What can be wrong with an answer. An unsigned answer is not a forged one: nobody vouches for it, that is all."""

    UNREADABLE = "unreadable"
    UNSIGNED = "unsigned"
    TRUNCATED = "truncated"
    UNKNOWN_KEY = "unknown-key"
    REVOKED_KEY = "revoked-key"
    EXPIRED_KEY = "expired-key"
    FORGED = "forged"
    REPLAYED = "replayed"
    STALE = "stale"
    REQUEST = "request-mismatch"
    MODEL = "model-substituted"
    TOOLS = "tool-calls-altered"
    DROPPED = "dropped"
    REORDERED = "reordered"
    TEXT = "text-altered"
    REASONING = "reasoning-altered"
    OTHER = "content-altered"
    FINISH = "finish-altered"
    USAGE = "usage-altered"
    NOT_IN_LEDGER = "not-in-ledger"


OF_KIND = {"text": Fault.TEXT, "tools": Fault.TOOLS, "reasoning": Fault.REASONING, "other": Fault.OTHER}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and the because. It never quotes an answer."""

    fault: Fault
    because: str


@dataclass(frozen=True, slots=True)
class Check:
    """What was found of an answer: genuine, or what is wrong with it, what weighs most first."""

    problems: tuple[Problem, ...]
    receipt: Receipt | None = field(default=None, repr=False)  # what came with it; believe it only if it is genuine
    notes: tuple[str, ...] = ()

    @property
    def record(self) -> Record | None:
        """What the receipt says."""
        return None if self.receipt is None else self.receipt.record

    @property
    def genuine(self) -> bool:
        """Whether the key's holder said exactly this, to this request."""
        return not self.problems

    @property
    def result(self) -> str:
        """The name of what was found."""
        return self.problems[0].fault.value if self.problems else "genuine"

    def names(self, fault: Fault) -> bool:
        """Say whether a fault is among those found."""
        return any(each.fault is fault for each in self.problems)


@dataclass(frozen=True, slots=True)
class Rules:
    """What is asked of an answer beside that its signature holds."""

    now: Callable[[], int] | None = None  # µs since 1970; None: age is not looked at
    max_age: float = 600.0  # seconds
    leeway: float = 60.0  # seconds that clocks may differ
    aliases: Mapping[str, str] = field(default_factory=dict)  # a reseller's name for a model: the provider's
    strict: bool = False  # settings of the request must be those that were signed, too
    issuer: str = ""  # that must have signed; any whose key is known when empty


@dataclass(frozen=True, slots=True)
class Expected:
    """The request that was sent, as far as it is known."""

    request: Mapping[str, Any] | None = None
    echo: str = ""  # the nonce that went with it


class Checker:
    """Checks answers. `seen` remembers their nonces, so that none is taken twice."""

    def __init__(self, keys: PublicKeys, rules: Rules | None = None, seen: Seen | None = None) -> None:
        self.keys, self.rules, self._seen = keys, rules or Rules(), seen

    def check(self, received: Received, expected: Expected | None = None) -> Check:
        """Return what is found of an answer that came whole, or as far as it came."""
        expected = expected or Expected()
        if received.broken:
            fault = Fault.TRUNCATED if received.cut else Fault.UNREADABLE
            return Check((Problem(fault, received.broken),))
        receipt = received.receipt
        if receipt is None:
            return Check((_without_receipt(received),))
        told = self._signature(receipt)
        if told is not None:
            return Check((told,), receipt)
        record = receipt.record
        problems = [*self._time(record, expected), *self._question(record, expected), *_content(record, received)]
        problems += self._model(record, received, expected)
        problems.sort(key=lambda each: list(Fault).index(each.fault))
        if not problems and self._seen is not None and not self._seen.first(record["issuer"], record["nonce"]):
            problems = [Problem(Fault.REPLAYED, "an answer with this nonce came before")]
        return Check(tuple(problems), receipt, self._notes(record, expected))

    def _signature(self, receipt: Receipt) -> Problem | None:
        record = receipt.record
        kid = record.get("kid")
        if not is_sound(record):
            return Problem(Fault.FORGED, "the record is none of this version")
        key = self.keys.keys.get(str(kid))
        if key is None:
            return Problem(Fault.UNKNOWN_KEY, "no published key has the id that the record names")
        issuer = self.rules.issuer or self.keys.issuer
        if issuer and record["issuer"] != issuer:
            return Problem(Fault.FORGED, "the record names another issuer than its key")
        if key.revoked_at is not None:
            return Problem(Fault.REVOKED_KEY, key.revoked_because or "its key was revoked")
        at = record["at"] // SECOND
        if at < key.not_before or (key.not_after is not None and at >= key.not_after):
            return Problem(Fault.EXPIRED_KEY, "it was signed outside the time of its key")
        if not signature_holds(receipt, key.x):
            return Problem(Fault.FORGED, "the signature does not hold for the record")
        return None

    def _time(self, record: Record, expected: Expected) -> list[Problem]:
        found = []
        echo = record.get("echo", "")
        if expected.echo and echo and echo != expected.echo:
            found.append(Problem(Fault.REPLAYED, "it answers a request with another nonce"))
        if self.rules.now is not None:
            age = (self.rules.now() - record["at"]) / SECOND
            if age > self.rules.max_age + self.rules.leeway:
                found.append(Problem(Fault.STALE, "it was signed too long ago"))
            elif age < -self.rules.leeway:
                found.append(Problem(Fault.STALE, "it was signed in the future"))
        return found

    def _question(self, record: Record, expected: Expected) -> list[Problem]:
        if expected.request is None:
            return []
        asked, signed = read_asked(record["endpoint"], expected.request), record["asked"]
        parts = ("conversation", "tools", "settings") if self.rules.strict else ("conversation", "tools")
        wrong = [name for name in parts if getattr(asked, name) != signed[name]]
        if not wrong:
            return []
        return [Problem(Fault.REQUEST, f"it answers a request with other {' and '.join(wrong)}")]

    def _model(self, record: Record, received: Received, expected: Expected) -> list[Problem]:
        found = []
        named = {self._real(name) for name in received.said.models}
        if " ".join(sorted(named)) != record["model"]:
            found.append(Problem(Fault.MODEL, "the answer names another model than the one that was signed"))
        asked = expected.request.get("model") if expected.request is not None else None
        if isinstance(asked, str) and record["asked"]["model"] not in (asked, self._real(asked)):
            found.append(Problem(Fault.MODEL, "another model was asked than the request names"))
        return found

    def _real(self, name: str) -> str:
        return self.rules.aliases.get(name, name)

    def _notes(self, record: Record, expected: Expected) -> tuple[str, ...]:
        if expected.request is None:
            return ("no request was given, so nothing says that this answers yours",)
        asked = read_asked(record["endpoint"], expected.request)
        differ = not self.rules.strict and asked.settings != record["asked"]["settings"]
        return ("settings of the request, such as the temperature, are not those that were signed",) if differ else ()


def signature_holds(receipt: Receipt, x: bytes) -> bool:
    """Say whether a detached JWS is one over the record, by the key, written in the one way that there is."""
    header, _, signature = receipt.signature.partition("..")
    try:
        if encode(decode(signature)) != signature or encode(decode(header)) != header:
            return False
        key = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": encode(x)})
        found = jws.deserialize_compact(
            receipt.signature, key, algorithms=["Ed25519"], payload=canonical(receipt.record)
        )
    except (JoseError, ValueError):
        return False
    return found.headers().get("kid") == receipt.record["kid"]


def _without_receipt(received: Received) -> Problem:
    if received.stream and not received.said.finish and not received.said.ended:
        return Problem(Fault.TRUNCATED, "the stream ended before its end")
    return Problem(Fault.UNSIGNED, "it carries no receipt: it was never signed, or the receipt was taken off")


def _content(record: Record, received: Received) -> list[Problem]:
    summary, found = received.summary, []
    signed = record["content"]
    for kind, fault in OF_KIND.items():
        if summary.kinds.get(kind) != signed.get(kind):
            found.append(Problem(fault, f"its {kind} is not what was signed"))
    if received.stream != ("chain" in record):
        found.append(Problem(Fault.OTHER, "a stream was made one answer, or one answer a stream"))
    elif received.stream:
        found = _in_order(record, received, found)
    if received.stream and record["finish"] and not received.said.finish and not received.said.ended:
        found.append(Problem(Fault.TRUNCATED, "the stream ended before its end"))
    elif finish_of(received.said) != record["finish"]:
        found.append(Problem(Fault.FINISH, "it ends for another reason than was signed"))
    usage = record.get("usage")
    if usage is not None and any(
        now is not None and now != then for now, then in zip(received.said.usage, usage, strict=False)
    ):
        found.append(Problem(Fault.USAGE, "it counts other tokens than were signed"))
    return found


def _in_order(record: Record, received: Received, found: list[Problem]) -> list[Problem]:
    """Say what became of a stream: something is missing, something moved, or something was changed."""
    summary, chain = received.summary, chain_of(received.summary)
    signed = record["chain"]
    if chain == signed and summary.characters == record["characters"]:
        return found
    if summary.characters < record["characters"]:
        missing = record["characters"] - summary.characters
        return [*found, Problem(Fault.DROPPED, f"{missing} of {record['characters']} characters are missing")]
    if chain["letters"] == signed.get("letters"):
        moved = [each for each in found if each.fault is not Fault.TEXT]
        return [*moved, Problem(Fault.REORDERED, "what was said came in another order")]
    return found or [Problem(Fault.OTHER, "the chain does not end in the link that was signed")]
