"""The account–attribute graph: shared values in the middle, the accounts that show them on both sides.

It answers one question of the reader: what ties these accounts together? So it draws the strongest values and the
accounts with most ties to them, and says how much it leaves out.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TypeVar

from stillwatch.apps.report.words import plural
from stillwatch.apps.run import AttributeEdge

MAX_VALUES = 12  # one line of text each; more cannot be followed by eye
MAX_ACCOUNTS = 36  # 18 on a side
VALUE_PITCH, ACCOUNT_PITCH, PADDING = 44, 22, 10  # pixels
_SWEEPS = 4  # of the barycentre heuristic; crossings hardly fall after the third


@dataclass(frozen=True, slots=True)
class ValueNode:
    """A shared attribute value, with the curves from it to the accounts on the left and on the right."""

    kind: str
    value: str
    shared_by: int
    bits: float
    hue: int
    y: float
    left: str
    right: str


@dataclass(frozen=True, slots=True)
class AccountNode:
    """An account that shows some of the values drawn; `head` is what its name shares with every other one drawn."""

    account_id: str
    head: str
    tail: str
    ties: int
    y: float


@dataclass(frozen=True, slots=True)
class Graph:
    """All that the template needs to draw one graph, and what it leaves out."""

    height: int
    values: tuple[ValueNode, ...]
    left: tuple[AccountNode, ...]
    right: tuple[AccountNode, ...]
    summary: str
    left_out: str


_T = TypeVar("_T")
_Value = tuple[str, str]
_Ties = dict[_Value, dict[str, AttributeEdge]]


def draw_graph(edges: tuple[AttributeEdge, ...]) -> Graph | None:
    """Lay out the strongest shared values of one campaign; None when it shares none."""
    ties: _Ties = defaultdict(dict)
    for edge in edges:
        ties[edge.kind, edge.value][edge.account_id] = edge
    if not ties:
        return None
    values = _strongest_values(ties)
    accounts = _most_tied_accounts(ties, values)
    drawn = {value: [account for account in accounts if account in ties[value]] for value in values}
    values, accounts = _untangle(drawn, accounts)
    left, right = accounts[::2], accounts[1::2]
    height = max(len(values) * VALUE_PITCH, len(left) * ACCOUNT_PITCH) + 2 * PADDING
    y_left, y_right = _spread(left, height), _spread(right, height)
    y_value = _spread(values, height)
    kinds = {kind: hue for hue, kind in enumerate(sorted({kind for kind, _ in ties}), start=1)}
    nodes = []
    for value in values:
        strongest = max(ties[value].values(), key=lambda edge: (edge.bits, edge.shared_by))
        nodes.append(
            ValueNode(
                kind=value[0],
                value=value[1],
                shared_by=max(strongest.shared_by, len(ties[value])),
                bits=strongest.bits,
                hue=(kinds[value[0]] - 1) % 6 + 1,
                y=y_value[value],
                left=_curves(y_value[value], [y_left[a] for a in drawn[value] if a in y_left], toward=0),
                right=_curves(y_value[value], [y_right[a] for a in drawn[value] if a in y_right], toward=100),
            )
        )
    tied = {account: sum(account in those for those in drawn.values()) for account in accounts}
    curves = sum(tied.values())
    head = _common_head(accounts)
    total_accounts = len({edge.account_id for edge in edges})
    return Graph(
        height=height,
        values=tuple(nodes),
        left=tuple(AccountNode(a, a[:head], a[head:], tied[a], y_left[a]) for a in left),
        right=tuple(AccountNode(a, a[:head], a[head:], tied[a], y_right[a]) for a in right),
        summary=f"{plural(len(values), 'shared value')} on {plural(len(accounts), 'account')}: {plural(curves, 'tie')}",
        left_out=_what_is_left_out(
            (len(values), len(ties)), (len(accounts), total_accounts), (curves, sum(map(len, ties.values())))
        ),
    )


def _common_head(accounts: list[str]) -> int:
    """Length of the prefix, up to a separator, that says nothing because every account has it: `acct-`."""
    if len(accounts) < 2:
        return 0
    first, last = min(accounts), max(accounts)
    shared = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), 0)
    return max(first.rfind(mark, 0, shared) for mark in "-_:./") + 1


def _strongest_values(ties: _Ties) -> list[_Value]:
    """Rank by bits summed over accounts; the best of each kind comes before the second of any."""
    ranked = sorted(ties, key=lambda value: (-sum(edge.bits for edge in ties[value].values()), value))
    seen: dict[str, int] = defaultdict(int)
    rounds = {}
    for value in ranked:
        rounds[value] = min(seen[value[0]], 1)
        seen[value[0]] += 1
    return sorted(ranked, key=lambda value: rounds[value])[:MAX_VALUES]


def _most_tied_accounts(ties: _Ties, values: list[_Value]) -> list[str]:
    bits: dict[str, float] = defaultdict(float)
    for value in values:
        for account, edge in ties[value].items():
            bits[account] += edge.bits
    return sorted(bits, key=lambda account: (-bits[account], account))[:MAX_ACCOUNTS]


def _untangle(drawn: dict[_Value, list[str]], accounts: list[str]) -> tuple[list[_Value], list[str]]:
    """Order both sides by where their neighbours stand, a few times over: fewer crossings."""
    values = sorted(drawn)
    accounts = sorted(accounts)
    for _ in range(_SWEEPS):
        at_value = {value: i / max(len(values) - 1, 1) for i, value in enumerate(values)}
        neighbours: dict[str, list[float]] = defaultdict(list)
        for value, those in drawn.items():
            for account in those:
                neighbours[account].append(at_value[value])
        accounts = sorted(accounts, key=lambda account: (_mean(neighbours[account]), account))
        at_account = {account: i / max(len(accounts) - 1, 1) for i, account in enumerate(accounts)}
        values = sorted(values, key=lambda value: (_mean([at_account[a] for a in drawn[value]]), value))
    return values, accounts


def _mean(places: list[float]) -> float:
    return sum(places) / len(places) if places else 0.5


def _spread(items: list[_T], height: int) -> dict[_T, float]:
    pitch = (height - 2 * PADDING) / max(len(items), 1)
    return {item: round(PADDING + pitch * (i + 0.5), 1) for i, item in enumerate(items)}


def _curves(start: float, ends: list[float], toward: int) -> str:
    """Write the curves as one SVG path, in a box 100 wide that the page stretches; values stand at the inner edge."""
    inner = 100 - toward
    return "".join(f"M{inner} {start:g}C50 {start:g} 50 {end:g} {toward} {end:g}" for end in ends)


def _what_is_left_out(values: tuple[int, int], accounts: tuple[int, int], ties: tuple[int, int]) -> str:
    pairs = ((values, "shared values"), (accounts, "accounts"), (ties, "ties"))
    missing = [f"{total - drawn:,} of {total:,} {noun}" for (drawn, total), noun in pairs if total > drawn]
    return f"Not drawn: {', '.join(missing)}." if missing else ""
