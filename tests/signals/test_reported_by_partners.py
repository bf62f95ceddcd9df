"""Values that partners reported raise a group that shows them; popular ones, junk and one member's accuse nobody."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.signals.reported_by_partners import CAP, NEIGHBOURS, reported_by_partners
from tests.signals.build import SIZE, among, bits_of, fires, group, is_silent, reports

RING = range(0, 600, 20)


def test_fires_on_accounts_that_fill_a_reported_template():
    ring = group(RING)
    population = among(ring, reported=reports({account: ["template|t"] for account in RING}, {"template|t": 1.9}))
    found = reported_by_partners(ring, population)
    assert fires(found, ring, population)
    assert found.bits == pytest.approx(1.9)
    assert "30 of 30 members" in found.because


def test_ties_no_account():
    ring = group(RING)
    population = among(ring, reported=reports({account: ["template|t"] for account in RING}, {"template|t": 1.9}))
    assert reported_by_partners(ring, population).members is None


def test_says_no_more_than_its_cap_however_much_is_reported():
    ring = group(RING)
    shown = {account: ["template|t", f"payment|{account}"] for account in RING}
    values = {"template|t": 3.0} | {f"payment|{account}": 3.0 for account in RING}
    assert reported_by_partners(ring, among(ring, reported=reports(shown, values))).bits == CAP


def test_stays_silent_on_a_value_that_everyone_shows():
    ring = group(RING)
    shown = {account: ["template|t"] for account in range(SIZE)}
    assert is_silent(reported_by_partners(ring, among(ring, reported=reports(shown, {"template|t": 3.0}))))


def test_stays_silent_on_a_partner_whose_values_hit_anybody():
    ring = group(RING)
    shown = {account: [f"address|{account}"] for account in range(0, SIZE, 2)}
    values = {f"address|{account}": 1.0 for account in range(SIZE)}
    assert is_silent(reported_by_partners(ring, among(ring, reported=reports(shown, values))))


def test_stays_silent_on_one_member():
    ring = group(RING)
    assert is_silent(reported_by_partners(ring, among(ring, reported=reports({0: ["payment|p"]}, {"payment|p": 3.0}))))


def test_a_network_that_a_whole_group_shares_says_little():
    ring = group(RING)
    shown = {account: ["address|192.0.2.1", "prefix|192.0.2.0/24"] for account in RING}
    values = {"address|192.0.2.1": 3.0, "prefix|192.0.2.0/24": 3.0}
    assert bits_of(reported_by_partners(ring, among(ring, reported=reports(shown, values)))) == NEIGHBOURS


def test_stays_silent_without_reports():
    ring = group(RING)
    assert reported_by_partners(ring, among(ring)) is None
    assert reported_by_partners(ring, among(ring, reported=reports({}, {}))) is None


def test_values_of_two_partners_are_counted_by_how_many_told_them():
    ring = group(RING)
    told = reports({account: ["template|t"] for account in RING}, {"template|t": 1.9})
    told = type(told)(told.edges, told.kind, told.bits, told.partner, np.array([2]))
    assert "2 independent partners" in reported_by_partners(ring, among(ring, reported=told)).because
