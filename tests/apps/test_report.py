"""The report says what was found, to anyone, offline, and is not fooled by what a log holds."""

from __future__ import annotations

import datetime as dt
import random
import re
import time
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest

from stillwatch.apps.report import render_report
from stillwatch.apps.report.graph import draw_graph
from stillwatch.apps.report.timeline import MAX_BUCKETS, draw_timeline
from stillwatch.apps.report.waterfall import draw_waterfall
from stillwatch.apps.run import AttributeEdge, Run, Story, TimelineBar
from stillwatch.model import Axis, Campaign, Claim, Evidence, Family, Grade, Share, VerdictKind

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
HOSTILE = '<script>alert("x")</script>\'"&{{ 7*7 }}\u202egnp.exe'
A = Axis
F = Family
VOID = {"meta", "link", "br", "img", "input", "hr"}

TERMS = (
    ("shared-address", A.COORDINATION, F.INFRASTRUCTURE, 5.8, "88 of 212 accounts use 9 addresses that 11 others use"),
    ("funding", A.COORDINATION, F.IDENTITY, 4.1, "141 accounts were paid with 6 instruments"),
    ("synchrony", A.COORDINATION, F.TIMING, 3.2, "accounts start and stop within 15 minutes of each other, z = 11.4"),
    ("failover", A.COORDINATION, F.TIMING, 2.4, "31 accounts step up within an hour of another's 403"),
    ("declared-organisation", A.COORDINATION, F.IDENTITY, -1.2, "12 accounts declare one organisation"),
    ("template-reuse", A.EXTRACTION, F.CONTENT, 6.9, "39,120 exchanges fill 14 templates; 98% of fills are new"),
    ("trace-elicitation", A.EXTRACTION, F.CONTENT, 3.4, "61% of exchanges ask to write out the reasoning"),
    ("circadian-flatness", A.EXTRACTION, F.USAGE, 1.1, "no idle gap longer than 40 minutes in 13 days"),
    ("natural-multi-turn", A.EXTRACTION, F.USAGE, -0.9, "4% of exchanges continue a conversation"),
    ("stack-mismatch", A.DECEPTION, F.INFRASTRUCTURE, 3.7, "one TLS fingerprint under 23 user agents"),
    ("programme-mismatch", A.DECEPTION, F.IDENTITY, 2.2, "44 accounts in the education programme, none on campus"),
)


class Page(HTMLParser):
    """Checks that tags balance, and keeps what the tests ask about."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def said(self) -> str:
        return " ".join(" ".join(self.text).split())


def make_story(number: int, verdict: VerdictKind = VerdictKind.DISTILLATION, edges: int = 300) -> Story:
    chance = random.Random(number)
    size = (212, 148, 52)[number % 3]
    name = f"C-{chance.getrandbits(40):010x}"
    members = tuple(f"acct-{chance.getrandbits(32):08x}" for _ in range(size))
    terms = TERMS if verdict is VerdictKind.DISTILLATION else tuple(t for t in TERMS if t[1] is not A.DECEPTION)[2:]
    scale = chance.uniform(0.7, 1.15)
    evidence = tuple(
        Evidence(
            "campaign",
            name,
            signal,
            axis,
            family,
            round(bits * scale, 2),
            because,
            tuple(f"x-{number}{i}" for i in range(9)),
        )
        for signal, axis, family, bits, because in terms
    )
    evidence += tuple(
        Evidence("account", member, "no-ramp", A.EXTRACTION, F.USAGE, 0.8, f"{i + 40}% of its quota on the first day")
        for i, member in enumerate(members[:30])
    )
    bits = {
        axis: sum(one.bits for one in evidence if one.axis is axis and one.subject_type == "campaign") for axis in Axis
    }
    campaign = Campaign(
        campaign_id=name,
        verdict=verdict,
        p={"distillation": 0.9993 - number / 100, "suspect": 0.71, "watch": 0.22, "clear": 0.01}[verdict.value],
        coordination_bits=bits[A.COORDINATION] - 1.6,
        extraction_bits=bits[A.EXTRACTION] - 2.0,
        deception_bits=bits[A.DECEPTION],
        accounts=size,
        exchanges=size * 190,
        flagged_exchanges=size * 181,
        output_tokens=size * 301_882,
        first_seen=START + dt.timedelta(days=number, hours=3),
        last_seen=START + dt.timedelta(days=13, hours=21, minutes=44),
        pool_id="pool--19c2",
        capabilities=(Share("agentic_coding", 0.58), Share("reasoning traces", 0.31), Share("tool use", 0.11)),
        models=(Share("opal-4", 0.66), Share("opal-4-mini", 0.24), Share("garnet-2", 0.1)),
        channels=(Share("first-party", 0.8), Share("bedrock", 0.2)),
        countries=tuple(
            Share(c, s) for c, s in (("SG", 0.4), ("US", 0.3), ("DE", 0.1), ("JP", 0.1), ("NL", 0.05), ("FR", 0.05))
        ),
        asns=(Share("AS64500", 0.7), Share("AS64501", 0.3)),
        claims=(
            Claim(
                "the accounts were opened in three bursts, on 1, 2 and 6 March, and paid with six instruments",
                Grade.OBSERVED,
            ),
            Claim(
                "one scheduler hands one question pool out to all accounts: no question was asked twice", Grade.INFERRED
            ),
            Claim("within a day of the release of opal-4, 91% of the traffic moved to it", Grade.OBSERVED),
            Claim("a partner saw the same templates on its own service in February", Grade.REPORTED),
        ),
        overturn=("a licence that covers these accounts", "a shared public harness that explains the 14 templates"),
        actions=(
            "put all 212 accounts under one pooled quota, at the same time, for 72 hours",
            "ask for business verification before the quota is lifted",
        ),
        members=members,
    )
    return Story(campaign, evidence, make_timeline(chance), make_edges(chance, members, edges))


def make_timeline(chance: random.Random, hours: int = 13 * 24) -> tuple[TimelineBar, ...]:
    bars = []
    for hour in range(0, hours, 3):
        for model, share, since in (("opal-3", 60, 0), ("opal-4", 130, 120), ("opal-4-mini", 40, 60)):
            if (model == "opal-3" and hour > 130) or hour < since or 190 < hour < 205:
                continue
            number = int(share * chance.uniform(0.6, 1.4))
            bars.append(TimelineBar(START + dt.timedelta(hours=hour), model, number, number // 3 + 1))
    return tuple(bars)


def make_edges(chance: random.Random, members: tuple[str, ...], edges: int) -> tuple[AttributeEdge, ...]:
    kinds = (("address", 6.1), ("payment", 7.4), ("template", 4.2), ("tls × agent × network", 3.3))
    values = [(kind, f"{chance.getrandbits(40):010x}", bits - i) for kind, bits in kinds for i in range(4)]
    found: dict[tuple[str, str], AttributeEdge] = {}
    while len(found) < edges:
        place = int(len(members) * chance.random() ** 1.6)
        kind, value, bits = values[(place * 3 // len(members) + chance.randrange(0, 16, 3)) % 16]
        found[members[place], value] = AttributeEdge(members[place], kind, value, 20 + chance.randrange(60), bits)
    return tuple(found.values())


def make_run(stories: tuple[Story, ...], manifest: dict[str, Any] | None = None) -> Run:
    empty = pa.table({"account_id": pa.array([], pa.string())})
    facts: dict[str, Any] = {
        "stillwatch": "0.1.0",
        "period": {"from": "2026-03-01T00:00:00+00:00", "until": "2026-03-15T00:00:00+00:00"},
        "accounts": 6031,
        "exchanges": 300_412,
        "rows": {"read": 301_616, "kept": 300_412, "rejected": 1204},
        "inputs": [
            {
                "path": "exchanges.parquet",
                "format": "parquet",
                "bytes": 81_203_441,
                "sha256": "ab" * 32,
                "rows": 301_616,
            }
        ],
        "signals_evaluated": sorted({term[0] for term in TERMS}),
        "signals_not_evaluated": [
            {"signal": "artefact-replay", "reason": "columns artefacts_in and artefacts_out are absent"},
            {"signal": "signup-burst", "reason": "no account table was given"},
            {"signal": "disposable-identity", "reason": "no account table was given"},
        ],
        "columns_absent": ["artefacts_in", "artefacts_out"],
        "versions": {"duckdb": "1.4.1", "numpy": "2.3.0", "python": "3.11.9"},
        "licences": 2,
        "previous_run": None,
        "timings": {"total": 12.345678},
    }
    return Run(empty, empty, empty, empty, empty, facts if manifest is None else manifest, stories)


def demo_run() -> Run:
    found = tuple(make_story(number) for number in range(3))
    return make_run((*found, make_story(7, VerdictKind.WATCH, edges=24), make_story(8, VerdictKind.SUSPECT, edges=60)))


def hostile_run() -> Run:
    story = make_story(1)
    campaign = replace(
        story.campaign,
        campaign_id=HOSTILE,
        pool_id=HOSTILE,
        status=HOSTILE,
        models=(Share(HOSTILE, 1.0),),
        claims=(Claim(HOSTILE, Grade.INFERRED),),
        overturn=(HOSTILE,),
        actions=(HOSTILE,),
        members=(HOSTILE, *story.campaign.members),
    )
    evidence = tuple(
        replace(one, subject_id=HOSTILE, signal=HOSTILE, because=HOSTILE, exchanges=(HOSTILE,))
        for one in story.evidence
    )
    timeline = tuple(replace(bar, model=HOSTILE) for bar in story.timeline)
    edges = tuple(
        replace(edge, account_id=edge.account_id + HOSTILE, kind=HOSTILE, value=HOSTILE) for edge in story.edges
    )
    bad = {
        "period": {"from": HOSTILE, "until": HOSTILE},
        "inputs": [{"path": HOSTILE, "format": HOSTILE, "sha256": HOSTILE}],
        "signals_not_evaluated": [{"signal": HOSTILE, "reason": HOSTILE}],
        "columns_absent": [HOSTILE],
        "versions": {HOSTILE: HOSTILE},
        "previous_run": HOSTILE,
    }
    return make_run((Story(campaign, evidence, timeline, edges),), bad)


def test_says_the_outcome_in_one_sentence() -> None:
    said = Page(render_report(demo_run())).said()
    assert "3 distillation campaigns: 412 of 6,031 accounts, 74,572 exchanges (24.8%)." in said
    assert "Of the other groups of accounts, 1 is suspected and 1 is only worth watching." in said
    assert "1 Mar 2026, 00:00 – 15 Mar 2026, 00:00 UTC" in said
    assert "3 of 14 signals could not be evaluated. The input lacks artefacts_in and artefacts_out." in said
    assert "1,204 rows (0.4%) of the input could not be read" in said
    assert "each bit doubles the odds" in said


def test_counts_an_account_of_two_campaigns_once() -> None:
    story = make_story(0)
    twin = Story(replace(story.campaign, campaign_id="twin"), story.evidence)
    assert "2 distillation campaigns: 212 of 6,031 accounts" in render_report(make_run((story, twin)))


def test_counts_an_exchange_of_two_campaigns_once() -> None:
    story = make_story(0)
    twin = Story(replace(story.campaign, campaign_id="twin"), story.evidence)
    rows = [{"exchange_id": f"x{i % 7}", "campaign_id": story.campaign.campaign_id} for i in range(7)]
    rows += [{"exchange_id": "x1", "campaign_id": "twin"}, {"exchange_id": "other", "campaign_id": "watched"}]
    run = replace(make_run((story, twin)), flagged=pa.Table.from_pylist(rows))
    assert "212 of 6,031 accounts, 7 exchanges" in render_report(run)


def test_says_which_campaigns_went_quiet_and_where_the_probability_comes_from() -> None:
    run = demo_run()
    said = Page(
        render_report(
            replace(
                run,
                manifest={**run.manifest, "went_quiet": ["C-0a"], "calibration": "judgement", "previous_run": "may"},
            )
        )
    ).said()
    assert "Gone quiet since the run before: C-0a ." in said
    assert "Where the probability comes from: judgement." in said
    assert "Compared with run may" in said


def test_says_what_each_campaign_is_known_by() -> None:
    run = demo_run()
    said = Page(render_report(run)).said()
    for story in run.stories:
        for one in story.evidence:
            assert one.because in said
        for sentence in (*story.campaign.overturn, *story.campaign.actions, *(c.text for c in story.campaign.claims)):
            assert sentence[1:] in said
        assert set(story.campaign.members[:50]) <= set(said.split())


def test_lists_what_spoke_for_innocence() -> None:
    said = Page(render_report(demo_run())).said()
    part = said[said.index("What speaks for innocence") :]
    assert "4% of exchanges continue a conversation" in part[:400]


def test_finding_nothing_is_said_with_what_was_not_looked_at() -> None:
    html = render_report(make_run(()))
    said = Page(html).said()
    assert "No distillation campaign was found in 300,412 exchanges of 6,031 accounts." in said
    assert "No group of accounts is suspected either." in said
    assert "That is no proof of innocence" in said
    assert "No account table was given. signup-burst , disposable-identity" in said
    assert "<details open>" in html
    assert "Recommended only" not in said


def test_a_suspicion_is_not_called_a_campaign() -> None:
    said = Page(render_report(make_run((make_story(4, VerdictKind.SUSPECT),)))).said()
    assert "No distillation campaign was found" in said
    assert "1 group of accounts is suspected." in said
    assert "Distillation campaigns" not in said


def test_an_empty_manifest_and_a_bare_campaign_still_make_a_page() -> None:
    bare = Campaign("c", VerdictKind.DISTILLATION, 1.0, 0.0, 0.0, 0.0, 0, 0, 0, 0, START, START)
    said = Page(render_report(make_run((Story(bare, ()),), {}))).said()
    assert "1 distillation campaign: 0 accounts, 0 exchanges." in said
    assert "No evidence is recorded for this campaign." in said
    assert "Nothing to judge" in Page(render_report(make_run((), {}))).said()


def test_a_hostile_log_cannot_write_markup() -> None:
    html = render_report(hostile_run())
    page = Page(html)
    assert not any(tag in ("script", "iframe", "object", "embed", "base", "form") for tag, _ in page.tags)
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert "<script" not in html
    assert "49" not in [word.strip("'\"&") for word in page.said().split()]  # {{ 7*7 }} is text, not a template
    assert "\u202e" not in html
    assert "\\u202egnp.exe" in page.said()
    assert escape(HOSTILE.split("\u202e")[0], quote=False)[:12] in html


def test_loads_nothing_and_runs_nothing() -> None:
    html = render_report(demo_run())
    page = Page(html)
    links = [
        value for _, attrs in page.tags for name, value in attrs.items() if name in ("src", "href", "srcset", "data")
    ]
    assert all(link and link.startswith(("#", "data:")) for link in links)
    assert not re.search(r"https?:|url\(|@import", html)
    policy = next(attrs["content"] for tag, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")


def test_the_same_run_gives_the_same_bytes_and_no_clock() -> None:
    run = demo_run()
    html = render_report(run)
    assert html == render_report(replace(run, stories=run.stories[::-1]))
    assert html == render_report(replace(run, manifest={**run.manifest, "timings": {"total": 99.0}}))
    assert "12.345678" not in html


def test_headings_are_in_order_and_links_and_labels_lead_somewhere() -> None:
    page = Page(render_report(demo_run()))
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {attrs["href"] for tag, attrs in page.tags if tag == "a"} <= {f"#{one}" for one in ids}
    assert {attrs["aria-labelledby"] for _, attrs in page.tags if "aria-labelledby" in attrs} <= set(ids)
    assert all("scope" in attrs for tag, attrs in page.tags if tag == "th")
    assert all("aria-label" in attrs or "aria-hidden" in attrs for tag, attrs in page.tags if tag == "svg")


def test_ten_large_campaigns_stay_small_and_quick() -> None:
    run = make_run(tuple(make_story(number) for number in range(10)))
    begun = time.perf_counter()
    html = render_report(run)
    assert time.perf_counter() - begun < 5
    assert len(html.encode()) < 1_500_000


@pytest.mark.parametrize("hours", [1, 30, 13 * 24, 24 * 365])
def test_a_timeline_keeps_every_exchange_in_few_bars(hours: int) -> None:
    bars = make_timeline(random.Random(1), hours)
    chart = draw_timeline(bars)
    assert chart is not None
    assert chart.slots <= MAX_BUCKETS + 1
    assert sum(bucket.total for _, bucket in chart.buckets) == sum(bar.exchanges for bar in bars)
    assert all(rect.y >= 0 for rect in chart.rects)
    assert 1 <= len(chart.x_ticks) <= 8


def test_a_timeline_gathers_the_tail_of_models() -> None:
    chart = draw_timeline(tuple(TimelineBar(START, f"m{i}", 10 - i, 1) for i in range(9)))
    assert chart is not None
    assert [name for name, _, _ in chart.models] == ["m0", "m1", "m2", "m3", "m4", "other models"]
    assert chart.models[-1][2] == 5 + 4 + 3 + 2
    assert draw_timeline(()) is None


def test_a_graph_draws_the_strongest_values_and_says_what_it_leaves_out() -> None:
    edges = [AttributeEdge(f"a{i}", "template", f"t{j}", 50, 2.0) for i in range(50) for j in range(20)]
    chart = draw_graph((*edges, AttributeEdge("a0", "payment", "card", 2, 0.5)))
    assert chart is not None
    assert "card" in [node.value for node in chart.values]
    assert len(chart.values) == 12
    assert len(chart.left) + len(chart.right) == 36
    assert chart.left_out.startswith("Not drawn: 9 of 21 shared values, 14 of 50 accounts")
    assert draw_graph(()) is None


def test_a_waterfall_ends_at_the_bits_of_the_verdict() -> None:
    story = make_story(0)
    terms = [one for one in story.evidence if one.subject_type == "campaign"]
    for lane in draw_waterfall(story.campaign, terms).lanes:
        assert sum(step.bits for step in lane.steps[:-1]) == pytest.approx(lane.bits)
        assert lane.steps[-1].side == "total"
        assert all(step.left >= -0.01 and step.left + step.width <= 100.01 for step in lane.steps)
    coordination = draw_waterfall(story.campaign, terms).lanes[0]
    assert [step.side for step in coordination.steps] == ["for"] * 4 + ["against", "adjust", "total"]


def test_many_small_terms_share_one_bar() -> None:
    campaign = replace(make_story(0).campaign, coordination_bits=40.0)
    terms = [Evidence("campaign", "c", f"s{i:02}", A.COORDINATION, F.TIMING, 2.0, "so it is") for i in range(20)]
    steps = draw_waterfall(campaign, terms).lanes[0].steps
    assert [step.label for step in steps][-2:] == ["10 smaller terms", "sum"]
