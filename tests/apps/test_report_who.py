"""The report answers two questions about who it is, each with unknown, and shows what was sought over time."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re

from stillwatch.apps.explain import explain
from stillwatch.apps.output import read_run, write_run
from stillwatch.apps.report import render_report
from stillwatch.apps.run import Run
from stillwatch.attribution.actors import OWNER, POOL, UNKNOWN
from stillwatch.model import Claim, Grade, Hypothesis
from tests.apps.small_runs import START, make_run

WHO = (
    Hypothesis(POOL, "pool-7", "Pool <seven>", 0.91, Grade.INFERRED,
               (Claim("payment: 30 of 40 accounts show it", Grade.REPORTED),)),
    Hypothesis(POOL, UNKNOWN, UNKNOWN, 0.09, Grade.INFERRED, (Claim("it may be somebody else", Grade.INFERRED),)),
    Hypothesis(OWNER, UNKNOWN, UNKNOWN, 0.95, Grade.INFERRED, (Claim("none fits", Grade.INFERRED),)),
    Hypothesis(OWNER, "owner-3", "owner-3", 0.05, Grade.REPORTED, (Claim("launch: near", Grade.REPORTED),)),
)  # fmt: skip
DAYS = tuple(
    (START.date() + dt.timedelta(days=day), "reasoning" if day < 4 else "agentic", 10 + day) for day in range(9)
)


def told() -> Run:
    run = make_run()
    return dataclasses.replace(
        run, stories=(dataclasses.replace(run.stories[0], hypotheses=WHO, capability_days=DAYS),)
    )


def test_both_questions_stand_on_the_page_with_unknown_among_the_answers():
    page = render_report(told())
    part = page[page.index("<h4>Who</h4>") : page.index("What was sought over time")]
    assert part.index("Who runs the accounts") < part.index("Who ordered the work")
    assert "Pool &lt;seven&gt; fits best of those known; it may still be somebody else." in part
    assert "Unknown; the nearest of those known is owner-3." in part
    assert part.count('class="open"') == 2
    assert "91.0%" in part
    assert "9.0%" in part


def test_every_reason_carries_how_it_is_known():
    page = render_report(told())
    part = page[page.index("<h4>Who</h4>") : page.index("What was sought over time")]
    assert re.search(r"reported</span><span>Payment: 30 of 40 accounts show it\.", part)


def test_a_run_without_hypotheses_says_nothing_of_who():
    assert "<h4>Who</h4>" not in render_report(make_run())


def test_capabilities_are_stacked_by_day():
    page = render_report(told())
    part = page[page.index("What was sought over time") :]
    assert "by capability (UTC)" in part
    assert "for 2 capabilities" in part
    assert part.index("agentic") < part.index("<svg")


def test_one_day_is_no_time_to_draw():
    run = told()
    story = dataclasses.replace(run.stories[0], capability_days=DAYS[:1])
    assert "What was sought over time" not in render_report(dataclasses.replace(run, stories=(story,)))


def test_hypotheses_and_days_come_back_from_the_folder_as_they_were(tmp_path):
    back = read_run(write_run(told(), tmp_path / "run"))
    assert back.stories[0].hypotheses == WHO
    assert back.stories[0].capability_days == DAYS


def test_explain_tells_who_it_may_be_and_why():
    cause = explain(told(), make_run().stories[0].campaign.campaign_id).causes[0]
    assert cause.hypotheses == WHO
