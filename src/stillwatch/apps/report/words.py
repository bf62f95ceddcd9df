"""Numbers, dates and names as a reader says them. Every value may come from a hostile log."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from typing import Any

from markupsafe import Markup

from stillwatch.model import Share, VerdictKind

VERDICT_WORDS = {
    VerdictKind.DISTILLATION: "distillation",
    VerdictKind.SUSPECT: "suspect",
    VerdictKind.WATCH: "watch",
    VerdictKind.CLEAR: "clear",
}

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")  # %b follows the locale

# Control, zero-width and text-direction characters: an account id with them can read as another one.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def show_unseen(value: Any) -> Any:
    """Spell out the characters that would hide in print; Jinja calls it on every value before escaping."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return _UNSEEN.sub(lambda hit: f"\\u{ord(hit.group()):04x}", value)
    return value


def count(number: int) -> str:
    """`6031` → `6,031`."""
    return f"{number:,}"


def plural(number: int, noun: str) -> str:
    """`1 account`, `6,031 accounts`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def short_count(number: int) -> str:
    """`61,203,112` → `61.2 million`; small numbers stay whole."""
    for size, name in ((10**9, "billion"), (10**6, "million")):
        if number >= size:
            return f"{number / size:.1f} {name}"
    return f"{number:,}"


def percent(share: float) -> str:
    """`24.7%`, and never a `0.0%` that is not nothing or a `100.0%` that is not all."""
    if 0 < share < 0.001:
        return "< 0.1%"
    if 0.999 < share < 1:
        return "> 99.9%"
    return f"{share:.1%}"


def percent_said(share: float) -> str:
    """`more than 99.9%`, for a sentence."""
    return percent(share).replace("> ", "more than ").replace("< ", "less than ")


def probability(p: float) -> str:
    """`p = 97.9%` or `p > 99.9%`."""
    shown = percent(p)
    return f"p {shown}" if shown[0] in "<>" else f"p = {shown}"


def signed(bits: float) -> str:
    """`+4.2` or `−1.3`, with a true minus sign."""
    shown = f"{bits:+.1f}"
    return "0.0" if shown in ("+0.0", "-0.0") else shown.replace("-", "−")


def utc(moment: dt.datetime) -> dt.datetime:
    """Read a moment without a zone as UTC, as the exchange log does."""
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


def day(moment: dt.datetime) -> str:
    """`3 Mar 2026`."""
    moment = utc(moment)
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}"


def minute(moment: dt.datetime) -> str:
    """`3 Mar 2026, 14:05`."""
    return f"{day(moment)}, {utc(moment):%H:%M}"


def span(first: dt.datetime, last: dt.datetime) -> str:
    """`between 3 Mar 2026 and 17 Mar 2026`, to the minute when both fall on one day."""
    if day(first) == day(last):
        return f"on {day(first)} between {utc(first):%H:%M} and {utc(last):%H:%M} UTC"
    return f"between {day(first)} and {day(last)}"


def iso_minute(text: Any) -> str | None:
    """Read an ISO string of the manifest as `3 Mar 2026, 14:05`; leave what is not one as it is."""
    if not isinstance(text, str) or not text:
        return None
    try:
        return minute(dt.datetime.fromisoformat(text))
    except ValueError:
        return text


def sentence_list(words: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *head, last = [*words] or [""]
    return f"{', '.join(head)} and {last}" if head else last


def spaced(name: str) -> str:
    """`agentic_coding` → `agentic coding`."""
    return name.replace("_", " ")


def top_shares(shares: tuple[Share, ...], limit: int = 3) -> str:
    """`agentic coding 62%, reasoning traces 30%`."""
    ranked = sorted(shares, key=lambda part: (-part.share, part.name))[:limit]
    return ", ".join(f"{spaced(part.name)} {part.share:.0%}" for part in ranked)


def sentence(text: str) -> str:
    """Give an action or a claim its capital and its full stop."""
    text = text.strip()
    if not text:
        return text
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?…" else ".")
