"""The coin of a unit: fair, fixed by the key, and the same whenever the unit comes up again."""

from __future__ import annotations

import hashlib
import hmac

from stillwatch.provenance.twins.scan import Choose, Site, render


def coin(secret: bytes, unit: str) -> int:
    """Return 0 or 1 for a unit under a key."""
    return hmac.new(secret, b"stillwatch twin 1\0" + unit.encode(), hashlib.sha256).digest()[0] & 1


def chooser(secret: bytes) -> Choose:
    """Return what picks the rendering that is served under a key."""

    def choose(unit: str, stands: int) -> int:
        del stands
        return coin(secret, unit)

    return choose


def serve(text: str, secret: bytes) -> tuple[str, tuple[Site, ...]]:
    """Return the twin of a text that is served under a key, and its sites."""
    return render(text, chooser(secret))
