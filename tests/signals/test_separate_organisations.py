"""Many declared companies are strangers; a pool names nobody, or one."""

from __future__ import annotations

from stillwatch.signals.separate_organisations import separate_organisations
from tests.signals.build import among, bits_of, exculpates, group, is_silent, same

RING = range(0, 600, 20)
COMPANIES = {account: f"company-{account}" for account in RING}


def test_speaks_for_customers_of_many_organisations():
    crowd = group(RING)
    population = among(crowd, org_id=COMPANIES, verification=same(RING, "business"))
    assert exculpates(separate_organisations(crowd, population))


def test_a_name_without_a_business_check_says_less():
    crowd = group(RING)
    few = dict.fromkeys(RING) | {account: COMPANIES[account] for account in RING[:4]}
    checked = among(crowd, org_id=few, verification=same(RING, "business"))
    claimed = among(crowd, org_id=few, verification=same(RING, "email"))
    assert bits_of(separate_organisations(crowd, checked)) < bits_of(separate_organisations(crowd, claimed))


def test_stays_silent_on_a_ring_that_names_nobody():
    ring = group(RING)
    assert is_silent(separate_organisations(ring, among(ring, org_id=same(RING, None))))


def test_stays_silent_on_one_organisation():
    company = group(RING)
    assert is_silent(separate_organisations(company, among(company, org_id=same(RING, "company"))))
