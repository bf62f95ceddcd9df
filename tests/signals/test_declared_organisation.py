"""A company with forty accounts is one customer; a few colleagues in a crowd are not."""

from __future__ import annotations

from stillwatch.signals.declared_organisation import declared_organisation
from tests.signals.build import among, bits_of, exculpates, group, same

RING = range(0, 600, 20)


def test_speaks_for_members_of_one_declared_organisation():
    company = group(RING)
    assert exculpates(declared_organisation(company, among(company, org_id=same(RING, "firm-x"))))


def test_speaks_louder_when_a_business_check_stands_behind_it():
    company = group(RING)
    named = among(company, org_id=same(RING, "firm-x"), verification=same(RING, "email"))
    checked = among(company, org_id=same(RING, "firm-x"), verification=same(RING, "business"))
    assert bits_of(declared_organisation(company, checked)) < bits_of(declared_organisation(company, named)) < 0


def test_stays_silent_on_a_ring_that_declares_nothing():
    ring = group(RING)
    assert declared_organisation(ring, among(ring, org_id=same(RING, None))) is None


def test_stays_silent_when_a_few_members_hide_behind_a_company():
    ring = group(RING)
    assert declared_organisation(ring, among(ring, org_id=same(RING, None) | same(RING[:10], "firm-x"))) is None


def test_thirty_companies_of_one_account_are_not_one_organisation():
    ring = group(RING)
    assert declared_organisation(ring, among(ring, org_id={account: f"shell-{account}" for account in RING})) is None
