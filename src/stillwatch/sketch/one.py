"""One exchange → its sketch, as `sketch_exchanges` would make it of a row, in the time that a request has.

The same kernels read the same bytes; Arrow, which a single text does not repay, is left out. What frames are is told
by counts that no longer change: those of the last window that was folded, mapped from a file that all workers share.
A system prompt comes again and again, so what was read in it is kept under a keyed digest; no text is.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from stillwatch.model import InputRefused, UsageError
from stillwatch.sketch.intent import (
    CAPABILITIES,
    COLUMNS,
    NO_SCORE,
    RUBRIC,
    TRACE,
    IntentModel,
    conclude_one,
    score_text,
)
from stillwatch.sketch.intent import score_room as make_score_room
from stillwatch.sketch.templates import MIN_EXCHANGES, TemplateCounts, check_word, key_room, key_text
from stillwatch.sketch.text import SketchKey, hash_bytes, tables

SYSTEM = 0x5157_7177_1357_1357  # tells keys of system prompts from those of prompts
LIKELY = 500  # permille: a classifier's even odds
REMEMBERED = 4_096  # system prompts
COUNTED = ("prompts", "systems")
TOUCHED = 1024  # counters in a page of memory


@dataclass(frozen=True, slots=True)
class RequestSketch:
    """What is known of one exchange once its text is gone; as in the table of exchange sketches."""

    template_key: int = 0  # 0: no frame shared with others
    fill_hash: int = 0  # 0: no text
    system_key: int = 0
    trace: bool = False
    rubric: bool = False
    capability: int = 0

    @property
    def capability_name(self) -> str:
        """The capability in words."""
        return CAPABILITIES[self.capability]


@dataclass(frozen=True, slots=True)
class FixedCounts:
    """Counts of prompts and of system prompts that no longer change, as the kernels take them."""

    prompts: tuple[Any, ...]
    systems: tuple[Any, ...]

    @classmethod
    def of(cls, prompts: TemplateCounts, systems: TemplateCounts) -> FixedCounts:
        """Take counts in memory; they must not change afterwards."""
        return cls(*(_fixed(*each.as_kernels_take_it()) for each in (prompts, systems)))

    @classmethod
    def nothing(cls, key: SketchKey) -> FixedCounts:
        """Counts of a deployment that has seen no text yet."""
        return cls.of(TemplateCounts(key, 8), TemplateCounts(key, 8))

    @classmethod
    def map(cls, folder: Path, key: SketchKey) -> FixedCounts:
        """Map what `write_counts` wrote; processes that map the same files share their memory.

        Raises UsageError for another key, InputRefused for what holds no counts.
        """
        try:
            about = json.loads((folder / "counts.json").read_text(encoding="utf-8"))
            found = [_as_taken(folder / f"{name}.npy", about[name]) for name in COUNTED]
        except (OSError, ValueError, KeyError) as error:
            raise InputRefused(f"{folder}: holds no counts of text pieces ({type(error).__name__})") from error
        if about["check"] != check_word(key):
            raise UsageError(f"{folder}: was made with another secret; give this process the same STILLWATCH_SECRET")
        return cls(*found)

    def touch(self) -> int:
        """Bring the counters into this process's view, so that no request waits for a page; other threads go on."""
        return int(sum(_touch(each[0]) for each in (self.prompts, self.systems)))


def write_counts(prompts: TemplateCounts, systems: TemplateCounts, folder: Path) -> None:
    """Write counts so that they can be mapped."""
    about: dict[str, Any] = {"check": check_word(prompts.key)}
    for name, counts in zip(COUNTED, (prompts, systems), strict=True):
        np.save(folder / f"{name}.npy", counts.counters)
        about[name] = {"log2_size": counts.log2_size, "load": counts.load, "slack": counts.slack}
    (folder / "counts.json").write_text(json.dumps(about) + "\n", encoding="utf-8")


def _fixed(counters: npt.NDArray[np.int32], *rest: Any) -> tuple[Any, ...]:
    view = counters.view()
    view.flags.writeable = False  # as mapped ones: the kernels are compiled once
    return view, *rest


def _as_taken(path: Path, about: dict[str, int]) -> tuple[Any, ...]:
    mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    if mapped.dtype != np.int32 or mapped.size != 1 << about["log2_size"]:
        raise ValueError(path.name)
    slack = about["slack"]
    counters = np.asarray(mapped).view(np.ndarray)  # a plain array: numba takes it without asking what it is
    return counters, np.uint64(64 - about["log2_size"]), about["load"], MIN_EXCHANGES + slack, slack


@njit(nogil=True, cache=True)
def _touch(counters):  # type: ignore[no-untyped-def]
    total = np.int64(0)
    for at in range(0, counters.size, TOUCHED):
        total += counters[at]
    return total


@njit(nogil=True, cache=True)
def _key_one(data, tables, key, sketch, room, out):  # type: ignore[no-untyped-def]
    template, fill, _ = key_text((data, 0, data.size), tables, key, sketch, room)
    out[0] = template
    out[1] = fill


@njit(nogil=True, cache=True)
def _sketch(data, keyed, tables, keying, reading, out):  # type: ignore[no-untyped-def]
    """Key and read one prompt: `out` gets template, fill, trace, rubric, capability. Called once, as a call is dear."""
    out[0] = out[1] = 0
    if keyed:
        _key_one(data, tables, *keying, out)
    weights, steps, room, scores, system = reading
    features = score_text((data, 0, data.size), tables, weights, room, scores)
    conclude_one((scores, features), system, steps, out[2:])


@njit(nogil=True, cache=True)
def _read_system(data, tables, weights, room, scores):  # type: ignore[no-untyped-def]
    return score_text((data, 0, data.size), tables, weights, room, scores)


@njit(nogil=True, cache=True)
def _hash_one(data, key):  # type: ignore[no-untyped-def]
    return hash_bytes(data, 0, data.size, key)


@dataclass(frozen=True, slots=True)
class _System:
    """What was read in one system prompt."""

    key: int
    scores: npt.NDArray[np.int64]
    features: int


class Sketcher:
    """Sketches one exchange at a time, by one state of the counts. For one thread: it works in arrays of its own."""

    def __init__(self, key: SketchKey, counts: FixedCounts, remember: int = REMEMBERED) -> None:
        self._secret = key.low.to_bytes(8, "little") + key.high.to_bytes(8, "little")
        self._key, self._tables = key.words(), tuple(tables())
        self._counts = counts
        _, scale, bias, self._steps, lanes = IntentModel.load().weights
        self._weights = (scale, bias, lanes)
        self._key_room, self._score_room = key_room(), make_score_room()
        self._keying = self._key, counts.prompts, self._key_room
        self._scores, self._out = np.zeros(COLUMNS, np.int64), np.zeros(5, np.int64)
        nothing = np.zeros(COLUMNS, np.int64)
        nothing[TRACE] = nothing[RUBRIC] = NO_SCORE
        self._no_system = _System(0, nothing, 0)
        self._remember, self._known = remember, dict[bytes, _System]()
        self("", "")  # compiled, or read from the cache, before the first request

    def __call__(self, prompt: str | None, system_prompt: str | None) -> RequestSketch:
        """Sketch one exchange. Nothing of the text is kept."""
        system = self._no_system if system_prompt is None else self._read(_bytes_of(system_prompt))
        data = np.frombuffer(b"" if prompt is None else _bytes_of(prompt), np.uint8)
        reading = self._weights, self._steps, self._score_room, self._scores, (system.scores, system.features)
        _sketch(data, prompt is not None, self._tables, self._keying, reading, self._out)
        template, fill, trace, rubric, capability = self._out.tolist()
        return RequestSketch(template, fill, system.key, trace >= LIKELY, rubric >= LIKELY, capability)

    def _read(self, text: bytes) -> _System:
        name = hashlib.blake2b(text, digest_size=16, key=self._secret).digest()
        known = self._known.get(name)
        if known is None:
            if len(self._known) >= self._remember:
                self._known.clear()
            known = self._known[name] = self._read_anew(np.frombuffer(text, np.uint8))
        return known

    def _read_anew(self, data: npt.NDArray[np.uint8]) -> _System:
        _key_one(data, self._tables, self._key, self._counts.systems, self._key_room, self._out)
        framed = int(self._out[0]) or int(_hash_one(data, self._key))
        scores = np.zeros(COLUMNS, np.int64)
        features = _read_system(data, self._tables, self._weights, self._score_room, scores)
        return _System(framed ^ SYSTEM, scores, int(features))


def sketch_one(prompt: str | None, system_prompt: str | None, counts: FixedCounts, key: SketchKey) -> RequestSketch:
    """Sketch one exchange and forget everything; who has many of them keeps a `Sketcher`."""
    return Sketcher(key, counts)(prompt, system_prompt)


def _bytes_of(text: str) -> bytes:
    return text.encode("utf-8", "replace")  # half of a surrogate pair separates words, as in any other bytes
