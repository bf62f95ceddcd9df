"""What holds for every signal of the roster, whatever it looks for."""

from __future__ import annotations

import dataclasses
import pickle
import re
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from stillwatch.campaigns.weigh import findings_of
from stillwatch.ingest.columns import ACCOUNT_COLUMNS, EXCHANGE_COLUMNS
from stillwatch.model import Axis, Evidence, Family
from stillwatch.signals.base import Signal
from stillwatch.signals.roster import ROSTER
from tests.signals.build import FAINT, SILENCE, bits_of
from tests.signals.scenes import SCENES, Scene, renumbered

TESTS = Path(__file__).parent
REFERENCE = TESTS.parents[1] / "docs" / "reference" / "signals.md"
KNOWN_COLUMNS = {column.name for column in EXCHANGE_COLUMNS + ACCOUNT_COLUMNS}
ASK_ALL = float("-inf")  # bits of coordination below which a group is not looked at further
SHUFFLED = {"loose-synchrony", "undeclared-relation"}  # a null shuffled by member: another order, another draw
AGAINST_OTHER_FRAMES = {"scheduler-evenness", "joint-onset", "undeclared-relation"}  # the same accounts' other work
every_signal = pytest.mark.parametrize("signal", ROSTER, ids=lambda signal: signal.name)


def module_of(signal: Signal) -> str:
    return signal.judge.__module__


@cache
def another_order(name: str) -> tuple[Scene, np.ndarray]:
    return renumbered(SCENES[name]())


def test_names_are_unique():
    names = [signal.name for signal in ROSTER]
    assert len(set(names)) == len(names)


def test_every_signal_file_is_in_the_roster_and_has_a_test():
    folder = Path(sys.modules[Signal.__module__].__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {
        "__init__",
        "base",
        "counting",
        "roster",
        "statistics",
        "ties",
    }
    assert files == {signal.name.replace("-", "_") for signal in ROSTER}
    assert not [stem for stem in files if not (TESTS / f"test_{stem}.py").exists()]


@every_signal
def test_is_named_after_its_file(signal):
    assert signal.name == module_of(signal).rpartition(".")[2].replace("_", "-")


@every_signal
def test_opens_with_the_adversarys_reason(signal):
    paragraphs = [part for part in (sys.modules[module_of(signal)].__doc__ or "").strip().split("\n\n") if part]
    assert len(paragraphs) >= 2
    assert signal.why == paragraphs[0]


@every_signal
def test_says_what_it_speaks_to_and_what_to_do_first(signal):
    assert isinstance(signal.axis, Axis)
    assert isinstance(signal.family, Family)
    assert len(signal.runbook.split()) >= 3


@every_signal
def test_needs_only_columns_of_the_contract(signal):
    assert {column for need in signal.needs for column in need.split("|")} <= KNOWN_COLUMNS


@every_signal
def test_says_something_finite_short_and_cited_or_nothing(signal):
    for name, scene in SCENES.items():
        sketch, population = scene()
        found = signal(sketch, population)
        if found is None:
            continue
        assert np.isfinite(found.bits), name
        assert set(found.cites) <= set(sketch.cites) | set(population.replays.cites), name
        assert 0 < len(found.because) <= 200, name
        assert found.because.isprintable(), name
        if found.members is not None:
            assert found.members.shape == (sketch.size,), name
            assert np.isfinite(found.members).all(), name


@every_signal
@pytest.mark.parametrize("name", ["one_member", "no_fills"])
def test_accuses_nobody_of_next_to_nothing(signal, name):
    assert bits_of(signal(*SCENES[name]())) < FAINT


@every_signal
@pytest.mark.parametrize("name", ["whole_population", "whole_population_of_one"])
def test_compares_with_nobody_where_there_is_nobody_else(signal, name):
    if signal.axis is not Axis.EXTRACTION and signal.name not in AGAINST_OTHER_FRAMES:
        assert bits_of(signal(*SCENES[name]())) <= SILENCE


@every_signal
def test_some_scene_makes_it_speak(signal):
    assert any(signal(*scene()) is not None for scene in SCENES.values())


@every_signal
def test_accuses_the_ring_or_speaks_for_innocents(signal):
    accuses = bits_of(signal(*SCENES["ring"]()))
    speaks = min(bits_of(signal(*SCENES[name]())) for name in ("course", "companies", "firm"))
    assert accuses > SILENCE or speaks < -SILENCE or signal.name == "hosting-egress"


@every_signal
def test_order_of_accounts_and_edges_has_no_effect(signal):
    tolerance = 0.25 if signal.name in SHUFFLED else 1e-9
    for name, scene in SCENES.items():
        found = signal(*scene())
        moved_scene, by_member = another_order(name)
        moved = signal(*moved_scene)
        assert bits_of(moved) == pytest.approx(bits_of(found), abs=tolerance), name
        if found is not None and moved is not None and found.members is not None:
            assert moved.members == pytest.approx(found.members[by_member], abs=tolerance), name


@every_signal
@pytest.mark.parametrize("name", ["ring", "course", "strangers"])
def test_is_deterministic_and_pickles(signal, name):
    first, second = signal(*SCENES[name]()), signal.judge(*SCENES[name]())
    assert pickle.dumps(first) == pickle.dumps(second)
    if first is not None:
        copy = pickle.loads(pickle.dumps(first))
        assert (copy.bits, copy.because, copy.cites) == (first.bits, first.because, first.cites)


@every_signal
def test_judges_anew_among_other_accounts_and_for_a_changed_group(signal):
    sketch, population = SCENES["ring"]()
    signal(sketch, population)
    _, others = SCENES["strangers"]()
    assert pickle.dumps(signal(sketch, others)) == pickle.dumps(signal.judge(sketch, others))
    changed = dataclasses.replace(sketch, accounts=sketch.accounts + 1)
    assert pickle.dumps(signal(changed, population)) == pickle.dumps(signal.judge(changed, population))


@every_signal
def test_leaves_the_sketches_as_they_were(signal):
    sketch, population = SCENES["ring"]()
    before = pickle.dumps((sketch.sums, sketch.fill, sketch.days, population.usage, population.created_at))
    signal(sketch, population)
    assert pickle.dumps((sketch.sums, sketch.fill, sketch.days, population.usage, population.created_at)) == before


@every_signal
def test_is_not_evaluated_where_its_columns_are_missing(signal):
    sketch, population = SCENES["ring"]()
    needed = {column for need in signal.needs for column in need.split("|")}
    poorer = dataclasses.replace(population, present=population.present - needed)
    assert bool(signal.missing(poorer.present)) == bool(signal.needs)
    assert not signal.missing(population.present)
    judged = {one.name for one, _ in findings_of(sketch, poorer, ROSTER, ASK_ALL)}
    assert not (signal.needs and signal.name in judged)


def test_a_bare_log_is_judged_by_the_signals_that_need_no_more():
    """Only the required columns: no signal reads what is not there."""
    sketch, population = SCENES["ring"]()
    bare = dataclasses.replace(population, present=frozenset({"exchange_id", "ts", "account_id", "model"}), edges={})
    judged = {one.name for one, _ in findings_of(sketch, bare, ROSTER, ASK_ALL)}
    assert judged
    assert judged <= {signal.name for signal in ROSTER if not signal.missing(bare.present)}


@pytest.mark.parametrize("column", sorted(KNOWN_COLUMNS - {"exchange_id", "ts", "account_id", "model"}))
def test_no_signal_reads_a_column_that_it_does_not_ask_for(column):
    """Without a column, edges made from it are gone too; whoever does not ask for it must manage."""
    sketch, population = SCENES["ring"]()
    made_from = {"ip": ("ip", "prefix"), "system_prompt": ("system_key",), "tools": ("tools_key",)}
    gone = made_from.get(column, (column,))
    edges = {kind: own for kind, own in population.edges.items() if kind not in gone}
    poorer = dataclasses.replace(population, present=population.present - {column}, edges=edges)
    for signal in ROSTER:
        if not signal.missing(poorer.present):
            signal(sketch, poorer)


def test_evidence_pickles():
    term = Evidence(
        "campaign", "C-1", "shared-address", Axis.COORDINATION, Family.INFRASTRUCTURE, 4.2, "9 of 10", ("e",)
    )
    assert pickle.loads(pickle.dumps(term)) == term


def entries() -> dict[str, str]:
    """Every heading of the second level is a signal's."""
    parts = re.split(r"^## (.+)$", REFERENCE.read_text(encoding="utf-8"), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@every_signal
def test_is_documented(signal):
    entry = " ".join(entries()[signal.name].split())
    assert f"**Axis** {signal.axis} · **Family** {signal.family}" in entry
    assert signal.runbook in entry
    for need in signal.needs:
        assert all(f"`{column}`" in entry for column in need.split("|"))


def test_no_entry_documents_a_signal_that_does_not_exist():
    assert list(entries()) == [signal.name for signal in ROSTER]
