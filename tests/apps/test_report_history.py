"""The report draws every campaign over the chain of runs: born, quiet, returned, split, merged, with its relations."""

from __future__ import annotations

import dataclasses
import datetime as dt

from stillwatch.apps.report import render_report
from stillwatch.apps.report.history import MOST_ROWS, MOST_RUNS, draw_history
from stillwatch.campaigns.identity import FRAMES, Traces
from stillwatch.campaigns.lineage import Lineage, Sighting, continue_lineage
from tests.apps.small_runs import make_run

START = dt.datetime(2026, 1, 4, tzinfo=dt.UTC)
WEEK = dt.timedelta(weeks=1)


def found(week: int, accounts: range, owner: str, first: str | None = None) -> Sighting:
    marks = {FRAMES: frozenset([f"t-{owner}"]), "identity": frozenset([f"c-{owner}-1", f"c-{owner}-2"])}
    who = frozenset(f"{first or owner}{number}" for number in accounts)
    return Sighting(Traces(who, marks), 20 * len(accounts), START + week * WEEK)


def chain() -> Lineage:
    """Eight weeks: one campaign splits and merges again, one goes quiet and returns, one dies."""
    lineage = Lineage()
    for week in range(8):
        whole = (
            [found(week, range(100), "a")]
            if week < 3 or week > 5
            else [found(week, range(60), "a"), found(week, range(60, 100), "a")]
        )
        returning = [found(week, range(30), "b", "b" if week < 3 else "new")] if week not in (3, 4) else []
        dying = [found(week, range(12), "c")] if week < 2 else []
        lineage, *_ = continue_lineage(lineage, [*whole, *returning, *dying], START + week * WEEK, "key")
    return lineage


def test_each_row_shows_what_became_of_a_campaign_and_when_it_was_not_seen():
    history = draw_history(chain(), {})
    assert history is not None
    assert history.runs == 8
    by_status = {row.status: row for row in history.rows}
    assert [mark.x for mark in by_status["steady"].marks] == [0, 1, 2, 5, 6, 7]
    assert by_status["steady"].silences == ((3, 2),)
    assert by_status["went quiet"].silences == ((2, 6),)
    assert by_status["absorbed"].relations.startswith("from C-")
    assert "now part of C-" in by_status["absorbed"].relations
    assert "8 runs, 1 of them quiet now" in history.summary


def test_a_larger_campaign_has_a_taller_mark():
    rows = draw_history(chain(), {}).rows
    assert max(mark.height for mark in rows[0].marks) == 100
    assert max(mark.height for mark in rows[-1].marks) < 60


def test_a_first_run_has_no_history_to_show():
    lineage, *_ = continue_lineage(Lineage(), [found(0, range(9), "a")], START, "key")
    assert draw_history(lineage, {}) is None
    assert draw_history(Lineage(), {}) is None
    assert "Campaigns over the runs" not in render_report(make_run())


def test_a_long_and_wide_history_stays_a_picture():
    lineage = Lineage()
    for week in range(40):
        ring = [found(week, range(9 + at), f"o{at}-") for at in range(30)]
        lineage, *_ = continue_lineage(lineage, ring, START + week * WEEK, "key")
    history = draw_history(lineage, {})
    assert (history.runs, len(history.rows), history.left_out) == (MOST_RUNS, MOST_ROWS, 6)
    assert len(history.ticks) <= 7


def test_the_page_links_each_campaign_of_this_run_to_its_chapter():
    lineage = chain()
    run = make_run()
    name = lineage.records[0].campaign_id
    story = run.stories[0]
    story = dataclasses.replace(story, campaign=dataclasses.replace(story.campaign, campaign_id=name))
    page = render_report(dataclasses.replace(run, stories=(story,), lineage=lineage))
    part = page[page.index('id="history"') :]
    assert f'<a class="id" href="#campaign-1">{name}</a>' in part
    assert part.count("<svg") >= len(lineage.records)


def test_what_could_not_be_compared_is_said_beneath():
    lineage = dataclasses.replace(chain(), note="by accounts only: <the key> changed")
    page = render_report(dataclasses.replace(make_run(), lineage=lineage))
    assert "By accounts only: &lt;the key&gt; changed." in page
