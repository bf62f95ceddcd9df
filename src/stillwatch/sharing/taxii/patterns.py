"""Patterns that would harm whoever evaluates them. They are never evaluated here."""

from __future__ import annotations

import re

LONGEST = 16_384
DEEPEST = 32
_PAIRS = {"(": ")", "[": "]"}
_BRACKET = re.compile(r"[()\[\]]")
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL)


def pattern_fault(pattern: object, pattern_type: str) -> str | None:
    """What is wrong with the pattern of an indicator, or None."""
    if not isinstance(pattern, str) or not pattern:
        return "is missing or no string"
    if len(pattern) > LONGEST:
        return f"is longer than {LONGEST:,} characters"
    if "\x00" in pattern:
        return "holds a zero byte"
    if pattern_type != "stix":
        return None
    bare = _QUOTED.sub("", pattern)
    if "'" in bare:
        return "has a text that does not end"
    fault = _brackets(bare)
    if fault is None and "MATCHES" in bare and any(map(_repeats_repeats, _QUOTED.findall(pattern))):
        return "has a regular expression that repeats what is itself repeated, which can take for ever to match"
    return fault


def _brackets(bare: str) -> str | None:
    open_: list[str] = []
    for sign in _BRACKET.findall(bare):
        if sign in _PAIRS:
            open_.append(_PAIRS[sign])
            if len(open_) > DEEPEST:
                return f"nests deeper than {DEEPEST} levels"
        elif not open_ or open_.pop() != sign:
            return "has brackets that do not match"
    if open_:
        return "has brackets that do not match"
    return None if "[" in bare else "holds no observation in brackets"


def _repeats_repeats(regex: str) -> bool:
    """Whether a group that holds a repeat is itself repeated without bound, as in (a+)+."""
    groups: list[bool] = []  # for each group that is open: does it hold a repeat?
    at, in_class = 0, False
    while at < len(regex):
        sign = regex[at]
        if sign == "\\":
            at += 2
            continue
        if in_class:
            in_class = sign != "]"
        elif sign == "[":
            in_class = True
        elif sign == "(":
            groups.append(False)
        elif sign == ")" and groups:
            held = groups.pop()
            repeated = _unbounded(regex, at + 1)
            if held and repeated:
                return True
            if groups and (held or repeated):
                groups[-1] = True
        elif _unbounded(regex, at) and groups:
            groups[-1] = True
        at += 1
    return False


def _unbounded(regex: str, at: int) -> bool:
    """Whether what stands here repeats without bound: *, +, or {n,}."""
    sign = regex[at : at + 1]
    if sign in ("*", "+"):
        return True
    end = regex.find("}", at, at + 12)
    return sign == "{" and end > 0 and regex[at:end].endswith(",")
