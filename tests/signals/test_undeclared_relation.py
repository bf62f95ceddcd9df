"""Ties beyond content that nobody declares; a company that names itself hides nothing."""

from __future__ import annotations

from stillwatch.signals.ties import declared_share
from stillwatch.signals.undeclared_relation import undeclared_relation
from tests.signals.build import START, among, bits_of, dealt, fires, group, is_silent, same

RING = range(0, 600, 20)
TIES = {
    "payment_fingerprint": dealt(RING, ["virtual-1", "virtual-2", "virtual-3"]),
    "ip": dealt(RING, [["198.51.100.1"], ["198.51.100.2"], ["198.51.100.3"]]),
    "created_at": same(RING, START),
}


def test_fires_on_tied_accounts_that_name_no_owner():
    ring = group(RING)
    population = among(ring, org_id=same(RING, None), **TIES)
    assert fires(undeclared_relation(ring, population), ring, population)


def test_stays_silent_on_a_company_that_names_itself():
    company = group(RING)
    checked = {"org_id": same(RING, "firm-x"), "verification": same(RING, "business")}
    assert is_silent(undeclared_relation(company, among(company, **checked, **TIES)))


def test_a_name_that_nobody_checked_is_worth_half():
    ring = group(RING)
    silent = bits_of(undeclared_relation(ring, among(ring, org_id=same(RING, None), **TIES)))
    named = bits_of(undeclared_relation(ring, among(ring, org_id=same(RING, "firm-x"), **TIES)))
    assert 0 < named <= silent * 0.75


def test_thirty_different_owners_are_not_a_declaration():
    ring = group(RING)
    pretending = {account: f"shell-{account}" for account in RING}
    population = among(ring, org_id=pretending, **TIES)
    assert fires(undeclared_relation(ring, population), ring, population)


def test_stays_silent_on_strangers_who_share_only_a_template():
    crowd = group(RING)
    assert is_silent(undeclared_relation(crowd, among(crowd)))


def test_goes_without_the_ties_whose_columns_are_missing():
    ring = group(RING)
    population = among(ring, org_id=same(RING, None), absent=["ip", "phone_hash", "signup_ip"], **TIES)
    whole = among(ring, org_id=same(RING, None), **TIES)
    assert 0 < bits_of(undeclared_relation(ring, population)) <= bits_of(undeclared_relation(ring, whole))


def test_an_organisation_of_one_member_declares_no_relation():
    ring = group(range(4))
    names = {0: "one", 1: "one", 2: "other", 3: None}
    population = among(ring, org_id=names, verification=same(range(4), "business"))
    assert declared_share(ring, population)[0] == 0.5
