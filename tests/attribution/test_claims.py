"""A campaign's story says how each sentence is known, and what would overturn it."""

from __future__ import annotations

import pytest

from stillwatch.attribution.claims import claims_of, lineage_claims, overturned_by
from stillwatch.campaigns.describe import Facts
from stillwatch.campaigns.identity import Named, Status
from stillwatch.model import Family, Grade, Hypothesis, Share
from tests.campaigns.evidence import ATTACK, C, E, said, weighed, without

SOUGHT = (Share("data_analysis", 0.7), Share("coding", 0.2), Share("other", 0.06), Share("vision", 0.04))
FACTS = Facts(
    exchanges=48_000,
    output_tokens=9_600_000,
    first_ts=0,
    last_ts=1,
    shares={
        "capability": (Share("data_analysis", 0.7), Share("coding", 0.2), Share("other", 0.06), Share("vision", 0.04))
    },
    timeline=(),
)


def texts(grade: Grade, pool: str | None = None, findings=ATTACK, facts=FACTS) -> list[str]:
    return [claim.text for claim in claims_of(weighed(findings), facts, pool) if claim.grade is grade]


def test_counts_are_observed():
    observed = " ".join(texts(Grade.OBSERVED))
    assert "30 accounts" in observed
    assert "48,000 exchanges" in observed
    assert "9,600,000 output tokens" in observed


def test_what_was_sought_is_inferred_with_its_shares():
    (sought,) = [text for text in texts(Grade.INFERRED) if "sought" in text]
    assert "data analysis (70%)" in sought
    assert "vision" not in sought


def test_an_unknown_purpose_is_not_invented():
    bare = Facts(10, 0, 0, 1, {}, ())
    assert not [text for text in texts(Grade.INFERRED, facts=bare) if "sought" in text]


def test_says_that_whoever_ordered_the_work_is_unknown():
    assert [text for text in texts(Grade.INFERRED) if "unknown" in text]


def test_a_pool_may_serve_other_owners_too():
    assert [text for text in texts(Grade.INFERRED, pool="P-7") if "P-7" in text]
    assert not [text for text in texts(Grade.INFERRED) if "pool" in text]


def test_how_it_was_run_names_the_strongest_signals_first_and_none_for_innocence():
    findings = (*ATTACK, said(C, Family.IDENTITY, -4.0, name="separate-organisations"))
    run = [text for text in texts(Grade.OBSERVED, findings=findings) if text.startswith("run as one")]
    assert run
    assert "shared-payment" in run[0]
    assert not [text for text in run if "separate-organisations" in text]


def test_nothing_is_reported_without_a_partner():
    assert texts(Grade.REPORTED) == []


def test_a_forgotten_licence_always_overturns_a_verdict():
    assert any("licence" in reason for reason in overturned_by(weighed(())))


@pytest.mark.parametrize(
    ("signal", "word"),
    [("undeclared-relation", "organisation"), ("template-co-use", "public"), ("shared-address", "campus")],
)
def test_names_the_fact_that_would_overturn_each_kind_of_evidence(signal, word):
    shared_set = said(E, Family.CONTENT, -3.0, name="harness-repetition")
    assert any(word in reason for reason in overturned_by(weighed(ATTACK)))
    assert not any(word in reason for reason in overturned_by(weighed((*without(signal), shared_set))))


def test_reasons_do_not_repeat_each_other():
    reasons = overturned_by(weighed(ATTACK))
    assert len(set(reasons)) == len(reasons)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (Status.RETURNED, "it returned; with what was known of it before it has 2 templates in common"),
        (Status.SPLIT, "it is part of an earlier campaign: 2 templates in common"),
        (Status.MERGED, "earlier campaigns are one: 2 templates in common"),
    ],
)
def test_what_became_of_it_is_said_where_it_needs_saying(status, words):
    (claim,) = lineage_claims(Named("C-1", status, ("C-0",), "2 templates in common"))
    assert (claim.text, claim.grade) == (words, Grade.INFERRED)


@pytest.mark.parametrize("status", [Status.BORN, Status.STEADY, Status.GREW])
def test_an_ordinary_run_needs_no_saying(status):
    assert lineage_claims(Named("C-1", status)) == ()


def test_each_layer_names_its_leader_with_its_probability():
    who = (
        Hypothesis("pool-operator", "pool-7", "Pool seven", 0.92, Grade.INFERRED),
        Hypothesis("pool-operator", "unknown", "unknown", 0.08, Grade.INFERRED),
        Hypothesis("workload-owner", "unknown", "unknown", 0.95, Grade.INFERRED),
    )
    told = [claim.text for claim in claims_of(weighed(ATTACK), FACTS, None, who)]
    assert "who runs its accounts is most likely Pool seven (p 0.92)" in told
    assert "who ordered the work is unknown" in told
