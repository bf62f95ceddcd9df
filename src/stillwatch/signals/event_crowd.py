"""Speaks for innocence: one event explains the crowd, and its members behave like people.

A class, a hackathon or a launch brings strangers together at one time or in one place, on one template. They come for a
sitting and leave, some do ten times as much as others, each at a machine of his own; and nobody pays for all of them.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.counting import values_of
from stillwatch.signals.statistics import clip
from stillwatch.signals.ties import hidden
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import DAY_US, HOUR_US, NEVER, Ints, Population, share_that_differ

EXPLAINED = -4.5
WINDOW = 3 * DAY_US  # within which an event brings people together
MIN_MEMBERS = 8
PLACE = 8  # members at one address that make it a place rather than an exit
EVENT = (0.4, 0.8)  # share of members that came together: from, and fully
SITTING = (0.2, 0.6)  # how much fewer active hours than even work would show: from, and fully
UNEVEN = (0.15, 0.6)  # variance of volumes beyond Poisson over the squared mean: a scheduler's, and people's


@signal(
    "event-crowd",
    axis=Axis.DECEPTION,
    family=Family.TIMING,
    needs=("created_at|ip",),
    runbook="Search the dates for a course, a hackathon or a launch; ask two members what brought them.",
)
def event_crowd(group: GroupSketch, population: Population) -> Finding | None:
    """Negative bits: how far an event explains the members, times how human they are, less what it cannot explain.

    An event is a window of three days in which members signed up or began, or an address that many of them share.
    """
    if group.size < MIN_MEMBERS:
        return None
    place = _in_one_place(group, population)
    event = clip((max(_at_one_time(group, population), place) - EVENT[0]) / (EVENT[1] - EVENT[0]), 0.0, 1.0)
    human = max(_in_sittings(group), _uneven(group.sums["exchanges"]), place * _own_machines(group, population))
    bits = EXPLAINED * event * human * (1.0 - hidden(group, population))
    if bits > -0.1:
        return None
    where = "at one address" if place >= EVENT[1] else "within three days of each other"
    return Finding(bits, f"most members came together {where} and use the model as people do ({human:.0%})")


def _at_one_time(group: GroupSketch, population: Population) -> float:
    """Share of members that signed up, or began, in one window, beyond the share of everyone that did."""
    best = 0.0
    created, began = population.created_at, population.usage["first_ts"]
    for moments, everyone in ((created, population.creations), (began, population.beginnings)):
        own = moments[group.accounts]
        own = np.sort(own[own != NEVER])
        others = len(everyone) - len(own)
        if len(own) < group.size / 2 or not others:
            continue
        inside = np.searchsorted(own, own + WINDOW, side="right") - np.arange(len(own))
        first = own[int(inside.argmax())]
        usual = (_between(everyone, first) - _between(own, first)) / others
        best = max(best, (float(inside.max()) / group.size - usual) / max(1.0 - usual, 0.05))
    return max(best, 0.0)


def _between(moments: Ints, first: int) -> int:
    """Count the moments, given ascending, within one window."""
    return int(np.searchsorted(moments, first + WINDOW, side="right") - np.searchsorted(moments, first))


def _in_one_place(group: GroupSketch, population: Population) -> float:
    """Share of members that meet at an address with at least `PLACE` of them."""
    if "ip" not in population.edges:
        return 0.0
    member, address = values_of(group.accounts, population.edges["ip"])
    _, code, inside = np.unique(address, return_inverse=True, return_counts=True)
    return float(len(np.unique(member[inside[code] >= PLACE])) / group.size)


def _in_sittings(group: GroupSketch) -> float:
    """How far members' exchanges fall into fewer hours than even work over the group's time would fill."""
    sent = group.sums["exchanges"]
    several = sent >= 3
    if several.sum() < group.size / 2:
        return 0.0
    span = group.sums["last_ts"].max() - group.sums["first_ts"].min()
    hours = max(span, DAY_US) / HOUR_US
    even = hours * (1.0 - (1.0 - 1.0 / hours) ** sent[several])
    fewer = 1.0 - float(np.median(group.sums["active_hours"][several] / even))
    return clip((fewer - SITTING[0]) / (SITTING[1] - SITTING[0]), 0.0, 1.0)


def _uneven(sent: Ints) -> float:
    mean = float(sent.mean())
    beyond = (float(sent.var()) - mean) / mean**2
    return clip((beyond - UNEVEN[0]) / (UNEVEN[1] - UNEVEN[0]), 0.0, 1.0)


def _own_machines(group: GroupSketch, population: Population) -> float:
    """How diverse the members' clients are, over as many accounts of everyone (share of pairs that differ)."""
    if "stack_asn" not in population.edges:
        return 0.0
    edges = population.edges["stack_asn"]
    own = group.accounts[edges.shown[group.accounts]]
    usual = edges.differ
    return clip(share_that_differ(edges.value[edges.start[own]]) / usual, 0.0, 1.0) if usual > 0 else 0.0
