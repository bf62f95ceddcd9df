"""An envelope of bytes, opened one object at a time: what is malformed is refused, what is good keeps its bytes.

Only one object at a time exists as Python values, so memory follows the largest object and not the whole envelope.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from stillwatch.sharing.taxii.words import Refusal

_SPACE = re.compile(r"[ \t\n\r]*")
_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # an escape that may be half of a character
MAX_CONTAINERS = 500_000  # lists and objects in one envelope; each costs sixty bytes or more once read


@dataclass(frozen=True, slots=True)
class Limits:
    """What one envelope and one object may be."""

    objects: int = 50_000
    object_length: int = 1_048_576
    depth: int = 32


@dataclass(frozen=True, slots=True)
class Piece:
    """One object of an envelope: its bytes, its content, and what is wrong with its JSON, if anything is."""

    raw: bytes
    content: Any
    fault: str | None


def open_envelope(body: bytes, limits: Limits) -> Iterator[Piece]:
    """Yield the objects of an envelope in their order; raise Refusal where it is not one."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refusal(400, "Malformed body", f"byte {error.start} is not UTF-8") from None
    if body.count(b"{") + body.count(b"[") > MAX_CONTAINERS:
        raise Refusal(422, "Too much in one envelope", f"it holds more than {MAX_CONTAINERS:,} lists and objects")
    return _Reader(text, limits).objects()


class _Reader:
    """A cursor over the text. Faults inside an object are noted, since its end must still be found."""

    def __init__(self, text: str, limits: Limits) -> None:
        self._text = text
        self._limits = limits
        self._at = 0
        self._fault: str | None = None
        decoder: Any = json.JSONDecoder(
            object_pairs_hook=self._pairs, parse_constant=self._constant, parse_float=self._float
        )
        self._scan = decoder.scan_once  # a value, and where it ends

    def objects(self) -> Iterator[Piece]:
        self._expect("{", "an envelope is a JSON object")
        found = False
        while self._peek() != "}":
            key = self._value()
            if not isinstance(key, str):
                raise self._malformed("a key is a string")
            self._expect(":", "a key is followed by a colon")
            if key == "objects":
                if found:
                    raise Refusal(400, "Malformed body", "the envelope has 'objects' twice")
                found = True
                yield from self._list()
            elif self._peek() in "{[":
                raise Refusal(422, "Not an envelope", f"{key[:40]!r} is no property of an envelope; leave it out")
            else:
                self._value()
            if not self._more("}"):
                break
        self._expect("}", "an envelope ends with a brace")
        if self._peek():
            raise self._malformed("something follows the envelope")
        if not found:
            raise Refusal(422, "Not an envelope", 'there is no list of objects; send {"objects": [...]}')

    def _list(self) -> Iterator[Piece]:
        self._expect("[", "'objects' is a list")
        count = 0
        while self._peek() != "]":
            count += 1
            if count > self._limits.objects:
                raise Refusal(422, "Too many objects", f"one envelope takes at most {self._limits.objects:,}")
            yield self._piece()
            if not self._more("]"):
                break
        self._expect("]", "a list ends with a bracket")

    def _piece(self) -> Piece:
        self._peek()
        begin, self._fault = self._at, None
        content = self._value()
        raw = self._text[begin : self._at]
        encoded = raw.encode()
        return Piece(encoded, content, self._fault or self._wrong(raw, encoded, content))

    def _wrong(self, raw: str, encoded: bytes, content: Any) -> str | None:
        limits = self._limits
        if len(encoded) > limits.object_length:
            return f"it is {len(encoded):,} bytes long; at most {limits.object_length:,} are taken"
        if raw.count("{") + raw.count("[") > limits.depth and depth_of(content, limits.depth) > limits.depth:
            return f"it nests deeper than {limits.depth} levels"
        if "\\u" in raw and _HALF.search(raw) is not None and not _is_unicode(content):
            return "it has half of a surrogate pair, which is no character"
        return None

    def _value(self) -> Any:
        self._peek()
        try:
            value, self._at = self._scan(self._text, self._at)
        except StopIteration:
            raise self._malformed("a value is missing") from None
        except RecursionError:
            raise Refusal(422, "Nested too deeply", f"at most {self._limits.depth} levels are taken") from None
        except json.JSONDecodeError as error:
            raise Refusal(400, "Malformed body", f"not JSON at character {error.pos}: {error.msg}") from None
        except ValueError:  # a number with thousands of digits
            raise self._malformed("a number is too long") from None
        return value

    def _peek(self) -> str:
        """The next character that is not space, or nothing at the end."""
        sign = self._text[self._at : self._at + 1]
        if sign and sign in " \t\n\r":
            found = _SPACE.match(self._text, self._at)
            self._at = found.end() if found else self._at
            sign = self._text[self._at : self._at + 1]
        return sign

    def _expect(self, sign: str, rule: str) -> None:
        if self._peek() != sign:
            raise self._malformed(rule)
        self._at += 1

    def _more(self, end: str) -> bool:
        """Step over a comma; False before the end."""
        sign = self._peek()
        if sign == ",":
            self._at += 1
            if self._peek() == end:
                raise self._malformed("nothing follows a comma")
            return True
        return False

    def _malformed(self, rule: str) -> Refusal:
        return Refusal(400, "Malformed body", f"not JSON at character {self._at}: {rule}")

    def _pairs(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(pairs)
        if len(content) != len(pairs):
            self._fault = "it has a key twice"
        return content

    def _constant(self, name: str) -> float:
        self._fault = f"{name} is not a JSON number"
        return 0.0

    def _float(self, text: str) -> float:
        number = float(text)
        if number - number != 0:  # infinite
            self._fault = "it has a number beyond every range"
            return 0.0
        return number


def depth_of(content: Any, enough: int) -> int:
    """How deep lists and objects nest; stops counting beyond `enough`. Walks level by level, never by recursion."""
    depth, level = 0, [content]
    while level and depth <= enough:
        inner: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                inner.extend(each.values())
            elif isinstance(each, list):
                inner.extend(each)
        level = [each for each in inner if isinstance(each, dict | list)]
        depth += 1
    return depth


def _is_unicode(content: Any) -> bool:
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
