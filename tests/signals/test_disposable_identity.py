"""Identities made in bulk stop at the weakest check; customers are as mixed as everyone."""

from __future__ import annotations

from stillwatch.signals.disposable_identity import disposable_identity
from tests.signals.build import SIZE, among, dealt, fires, group, is_silent, same

RING = range(0, 600, 20)


def test_fires_on_accounts_that_stopped_at_the_weakest_check():
    ring = group(RING)
    population = among(ring, verification=dealt(RING, ["email", "none", None]))
    assert fires(disposable_identity(ring, population), ring, population)


def test_stays_silent_where_nobody_is_verified_any_better():
    ring = group(RING)
    everyone = range(SIZE)
    assert is_silent(disposable_identity(ring, among(ring, verification=same(everyone, "email"))))


def test_stays_silent_on_customers_as_mixed_as_everyone():
    crowd = group(RING)
    assert is_silent(disposable_identity(crowd, among(crowd)))


def test_stays_silent_on_a_verified_company():
    company = group(RING)
    assert is_silent(disposable_identity(company, among(company, verification=same(RING, "business"))))


def test_stays_silent_where_two_of_a_handful_are_weak_by_luck():
    handful, everyone = group(range(0, 100, 10)), range(SIZE)
    usual = dealt(everyone, ["email", *["card"] * 8])  # one of nine
    luck = same(range(0, 100, 10), "card") | same((0, 10), "email")
    assert is_silent(disposable_identity(handful, among(handful, verification=usual | luck)))


def test_two_of_ten_in_a_crowd_are_no_luck():
    crowd, everyone = group(range(0, 2_000, 4)), range(SIZE)
    usual = dealt(everyone, ["email", *["card"] * 8])
    many = dealt(range(0, 2_000, 4), ["email", *["card"] * 4])
    population = among(crowd, verification=usual | many)
    assert fires(disposable_identity(crowd, population), crowd, population)
