"""Names for campaigns that stay the same from run to run, and what became of them since the last one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence, Set

SAME = 0.3  # share of the smaller of two member sets in common, for them to be one campaign
GROWTH = 1.1

Members = frozenset[str]


def name_campaigns(
    found: Sequence[Members], previous: Mapping[str, Members] | None
) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    """Return (id, status) for each campaign found, and the ids of earlier ones that went quiet.

    Status: born, steady, grew, merged (it holds several earlier ones). An earlier id goes to the campaign that holds
    most of its members; the largest earlier one names a merger.
    """
    earlier = dict(previous or {})
    heirs: dict[int, list[str]] = {}
    for name in sorted(earlier, key=lambda n: (-len(earlier[n]), n)):
        common = [len(earlier[name] & members) for members in found]
        best = max(range(len(found)), key=lambda at: (common[at], at not in heirs, -at), default=None)
        if best is not None and common[best] >= SAME * max(min(len(earlier[name]), len(found[best])), 1):
            heirs.setdefault(best, []).append(name)
    names: list[tuple[str, str]] = []
    for at, members in enumerate(found):
        own = heirs.get(at, [])
        if not own:
            names.append((_fresh(members, earlier.keys() | {name for name, _ in names}), "born"))
        elif len(own) > 1:
            names.append((own[0], "merged"))
        else:
            names.append((own[0], "grew" if len(members) >= GROWTH * len(earlier[own[0]]) else "steady"))
    kept = {name for own in heirs.values() for name in own}
    return names, tuple(sorted(set(earlier) - kept))


def _fresh(members: Members, taken: Set[str]) -> str:
    """Name a campaign after its members; a second workload of the same accounts gets a name of its own."""
    text, name = "\x1f".join(sorted(members)), ""
    while not name or name in taken:
        name = f"C-{hashlib.blake2b(text.encode(), digest_size=5).hexdigest()}"
        text += "\x1e"
    return name
