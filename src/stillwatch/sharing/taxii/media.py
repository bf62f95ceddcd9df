"""Content negotiation: the one media type that is spoken here, and its older spellings."""

from __future__ import annotations

_RANGES = ("*/*", "application/*")


def is_acceptable(header: str | None) -> bool:
    """Whether an Accept header leaves room for TAXII 2.1. One that names no version takes the highest there is."""
    if header is None or not header.strip():
        return True
    return any(_accepts(part) for part in header.split(","))


def is_taxii(header: str | None) -> bool:
    """Whether a Content-Type is TAXII 2.1, or TAXII without a version."""
    if header is None:
        return False
    name, parameters = _parse(header)
    return name == "application/taxii+json" and parameters.get("version", "2.1") == "2.1"


def _accepts(part: str) -> bool:
    name, parameters = _parse(part)
    if _is_zero(parameters.get("q", "1")):
        return False
    if name in _RANGES:
        return True
    return name == "application/taxii+json" and parameters.get("version", "2.1") == "2.1"


def _parse(text: str) -> tuple[str, dict[str, str]]:
    name, *rest = (each.strip() for each in text.split(";"))
    pairs = (each.partition("=") for each in rest)
    return name.lower(), {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs}


def _is_zero(quality: str) -> bool:
    try:
        return float(quality) <= 0
    except ValueError:
        return False
