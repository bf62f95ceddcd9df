"""Groups that every signal must bear: an attack with everything, innocents with everything, and the edges."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache

import numpy as np
import pyarrow as pa

from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import ATOM_COLUMNS, DAY_US, HOUR_US, NEVER, Population, Reported
from tests.signals.build import (
    DAY,
    DAYS,
    END,
    KINDS,
    SIZE,
    START,
    TEMPLATE,
    TIMES,
    WORDS,
    among,
    dealt,
    edges_of,
    group,
    reports,
    same,
)

Scene = tuple[GroupSketch, Population]
RING = range(0, 600, 20)
BLOCK = START + 5 * DAY_US
STOPPED = list(RING)[:10]


def ring() -> Scene:
    """An operator that does everything that the roster looks for."""
    chance = np.random.default_rng(1)
    moments = chance.integers(0, DAYS * 1_440 - 60, 40)
    pivot = {("m-1", DAY + day): 200 for day in range(7)} | {("m-9", DAY + day): 200 for day in range(7, DAYS)}
    sketch = group(
        RING,
        asked=[[*range(at * 200, at * 200 + 200), *range(at * 200, at * 200 + 10)] for at in range(30)],
        single=208,
        talk=0,
        trace=180,
        rubric=150,
        saturated=150,
        output_tokens=900_000,
        capability={"reasoning": 6_300},
        days=pivot,
        beats=[(moments + chance.integers(0, 3, 40)).tolist() for _ in RING],
        first_ts=[START + HOUR_US] * 10 + [BLOCK + HOUR_US // 2] * 20,
        last_ts=[BLOCK] * 10 + [END] * 20,
    )
    return sketch, among(
        sketch,
        ip=dealt(RING, [[f"198.51.100.{at}", f"203.0.113.{at}"] for at in range(4)]),
        stack_asn=same(RING, ["odd|64999"]),
        system_key=same(RING, ["script"]),
        payment_fingerprint=dealt(RING, ["virtual-1", "virtual-2"]),
        phone_hash=dealt(RING, ["rented-1", "rented-2"]),
        signup_ip=same(RING, "198.51.100.9"),
        email_domain=same(RING, "bulk.example"),
        created_at=same(STOPPED, START) | same(list(RING)[10:], BLOCK + HOUR_US),
        suspended_at=same(STOPPED, BLOCK),
        org_id=same(RING, None),
        verification=same(RING, "none"),
        plan=same(RING, "free"),
        program=same(RING, "education"),
        asns=same(RING, 9),
        stacks=same(RING, 1),
        first_day=same(RING, 120),
        clock=same(RING, [10] * 24),
        replays=[(0, 20, 4), (20, 40, 2)],
        breaks_licence=STOPPED,
        reported=reports(
            {account: ["template|told", f"payment|virtual-{at % 2}"] for at, account in enumerate(RING)},
            {"template|told": 1.5, "payment|virtual-0": 1.0, "payment|virtual-1": 1.0},
        ),
    )


def course() -> Scene:
    """Students of one verified university with one public assignment, who talk back; some have a licence."""
    sketch = group(RING, asked=[[*range(8), 100 + at] for at in range(30)], single=1, talk=8)
    population = among(
        sketch,
        org_id=same(RING, "university"),
        verification=same(RING, "business"),
        ip=same([*RING, *range(1, 900, 3)], ["192.0.2.1"]),
        licensed=STOPPED,
        public_templates=[TEMPLATE],
    )
    return sketch, population


def firm() -> Scene:
    """A small firm without a declared name: one mail domain of its own, one card."""
    sketch = group(RING)
    return sketch, among(sketch, email_domain=same(RING, "firm.example"), payment_fingerprint=same(RING, "card-1"))


def companies() -> Scene:
    """Customers of a tool: an organisation and a frame for each."""
    sketch = group(RING, frames=range(200, 230), common=0)
    own = {account: f"company-{account}" for account in RING}
    return sketch, among(sketch, org_id=own, verification=same(RING, "business"))


def strangers() -> Scene:
    """People with nothing in common but a popular tool."""
    sketch = group(RING)
    return sketch, among(sketch)


def one_member() -> Scene:
    """A single account with a single exchange."""
    sketch = group([7], exchanges=1)
    return sketch, among(sketch)


def no_fills() -> Scene:
    """A group whose exchanges left no sums at all."""
    sketch = group(RING[:3], exchanges=0, beats=[[], [], []], days={}, capability={})
    return sketch, among(sketch)


def nothing_known() -> Scene:
    """Every optional column is there and every value in it is missing."""
    sketch = group(RING)
    everyone = range(SIZE)
    unknown = {name: same(everyone, NEVER) for name in (*TIMES, "first_denied")}
    values = {name: same(everyone, None) for name in {*WORDS, *KINDS} - {"ip", "prefix"}}
    counts = {name: same(everyone, 0) for name in ("asns", "stacks", "input_tokens", "output_tokens")}
    return sketch, among(sketch, ip=same(everyone, []), **unknown, **values, **counts)


def all_identical() -> Scene:
    """Every account shows the same value of everything, and so do all members."""
    sketch = group(RING, exchanges=40, first_ts=START, last_ts=END)
    everyone = range(SIZE)
    values: dict[str, dict[int, object]] = {name: same(everyone, "x") for name in {*WORDS, *KINDS} - {"ip", "prefix"}}
    lists = {name: same(everyone, ["x"]) for name in ("stack_asn", "system_key", "tools_key")}
    counts = {name: same(everyone, int(values[0])) for name, values in sketch.sums.items() if name not in _NOT_USAGE}
    times = {"created_at": same(everyone, START), "suspended_at": same(everyone, END)}
    return sketch, among(sketch, ip=same(everyone, ["192.0.2.1"]), **(values | lists | counts | times))


def whole_population() -> Scene:
    """The group is everyone."""
    sketch = group(range(60), exchanges=40)
    return sketch, among(sketch, size=60)


def whole_population_of_one() -> Scene:
    """A log of one account."""
    sketch = group([0], exchanges=50)
    return sketch, among(sketch, size=1)


_NOT_USAGE = ("fills", "hours")
SCENES: dict[str, Callable[[], Scene]] = {
    made.__name__: cache(made)
    for made in (
        ring,
        course,
        firm,
        companies,
        strangers,
        one_member,
        no_fills,
        nothing_known,
        all_identical,
        whole_population,
        whole_population_of_one,
    )
}


def renumbered(scene: Scene, seed: int = 3) -> tuple[Scene, np.ndarray]:
    """Return the same scene with its accounts in another order, and where each member went."""
    sketch, population = scene
    chance = np.random.default_rng(seed)
    order = chance.permutation(population.size)  # new index → old index
    place = np.argsort(order)  # old index → new index
    moved = place[sketch.accounts]
    by_member = np.argsort(moved)  # new member position → old member position
    where = np.argsort(by_member)
    member, minute = sketch.beats
    beat = np.lexsort((minute, where[member]))
    sketch = dataclasses.replace(
        sketch,
        accounts=moved[by_member],
        sums={name: values[by_member] for name, values in sketch.sums.items()},
        common=sketch.common[by_member],
        beats=(where[member][beat], minute[beat]),
    )
    atoms = population.atoms
    rows = np.lexsort((atoms.frame, place[atoms.account]))
    population = dataclasses.replace(
        population,
        ids=pa.array([f"b{at:05d}" for at in range(population.size)]),
        usage={name: values[order] for name, values in population.usage.items()},
        clock=population.clock[order],
        edges={kind: _renumbered_edges(population, kind, order) for kind in population.edges},
        atoms=type(atoms)(
            place[atoms.account][rows],
            atoms.frame[rows],
            {name: atoms.sums[name][rows] for name in ATOM_COLUMNS},
        ),
        created_at=population.created_at[order],
        suspended_at=population.suspended_at[order],
        words={name: values[order] for name, values in population.words.items()},
        replays=dataclasses.replace(
            population.replays,
            minted=place[population.replays.minted],
            submitted=place[population.replays.submitted],
        ),
        licensed=population.licensed[order],
        reported=_renumbered_reports(population, order),
        breaks_licence=population.breaks_licence[order],
        model_days=dict(reversed(population.model_days.items())),
    )
    return (sketch, population), by_member


def _renumbered_edges(population: Population, kind: str, order: np.ndarray) -> object:
    """Give the edges of accounts in a new order, and each account's values the other way round."""
    edges = population.edges[kind]
    labels = edges.labels.to_pylist()
    return edges_of(
        [[labels[code] for code in edges.value[edges.start[a] : edges.start[a + 1]][::-1]] for a in order.tolist()]
    )


def _renumbered_reports(population: Population, order: np.ndarray) -> Reported | None:
    told = population.reported
    if told is None:
        return None
    labels = told.edges.labels.to_pylist()
    bits = dict(zip(labels, told.bits.tolist(), strict=True))
    start, value = told.edges.start, told.edges.value
    shown = {at: [labels[c] for c in value[start[a] : start[a + 1]][::-1]] for at, a in enumerate(order.tolist())}
    return reports(shown, bits, size=population.size)
