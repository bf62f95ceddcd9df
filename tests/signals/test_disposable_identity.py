"""Identities made in bulk stop at the weakest check; customers are as mixed as everyone."""

from __future__ import annotations

from stillwatch.signals.disposable_identity import disposable_identity
from tests.signals.build import SIZE, among, dealt, fires, group, is_silent, same

RING = range(0, 600, 20)


def test_fires_on_weakly_verified_accounts_at_throw_away_domains():
    ring = group(RING)
    population = among(
        ring, verification=same(RING, "email"), email_domain=dealt(RING, ["bulk-1.example", "bulk-2.example"])
    )
    assert fires(disposable_identity(ring, population), ring, population)


def test_stays_silent_where_nobody_is_verified_any_better():
    ring = group(RING)
    everyone = range(SIZE)
    population = among(ring, verification=same(everyone, "email"), email_domain=same(everyone, "mail.example"))
    assert is_silent(disposable_identity(ring, population))


def test_stays_silent_on_customers_as_mixed_as_everyone():
    crowd = group(RING)
    assert is_silent(disposable_identity(crowd, among(crowd)))


def test_stays_silent_on_a_verified_company_at_its_own_domain():
    company = group(RING)
    population = among(company, verification=same(RING, "business"), email_domain=same(RING, "firm-x.example"))
    assert is_silent(disposable_identity(company, population))


def test_judges_either_column_alone():
    ring = group(RING)
    weak = among(ring, verification=same(RING, "none"), absent=["email_domain"])
    bulk = among(ring, email_domain=same(RING, "bulk.example"), absent=["verification"])
    assert fires(disposable_identity(ring, weak), ring)
    assert fires(disposable_identity(ring, bulk), ring)
