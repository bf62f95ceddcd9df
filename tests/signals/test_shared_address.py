"""Rare addresses tie accounts, a campus or carrier ties nobody."""

from __future__ import annotations

from stillwatch.signals.shared_address import shared_address
from tests.signals.build import FAINT, SIZE, among, bits_of, dealt, fires, group, is_silent, same

RING = range(0, 600, 20)
FEW = [[f"198.51.100.{at}"] for at in range(5)]


def test_fires_on_accounts_behind_a_few_exits():
    ring = group(RING)
    population = among(ring, ip=dealt(RING, FEW))
    found = shared_address(ring, population)
    assert fires(found, ring, population)
    assert "30 of 30" in found.because


def test_ties_only_the_members_that_share():
    ring = group(RING)
    sharing = [account for account in RING if account < 300]
    found = shared_address(ring, among(ring, ip=dealt(sharing, FEW)))
    assert found.members[:15].min() > 1.0 > found.members[15:].max()


def test_stays_silent_on_a_campus_behind_one_address():
    ring = group(RING)
    assert is_silent(shared_address(ring, among(ring, ip=same(range(SIZE), ["192.0.2.1"]))))


def test_stays_silent_on_strangers():
    ring = group(RING)
    assert is_silent(shared_address(ring, among(ring)))


def test_one_coincidence_between_two_members_is_not_evidence():
    ring = group(RING)
    assert bits_of(shared_address(ring, among(ring, ip=same([0, 20], ["192.0.2.1"])))) < FAINT


def test_a_campus_shared_by_members_and_strangers_weighs_little():
    students = group(RING)
    campus = same([*RING, *range(1, 601, 2)], ["192.0.2.1"])
    private = among(students, ip=dealt(RING, FEW))
    assert shared_address(students, among(students, ip=campus)).bits < shared_address(students, private).bits / 2


def test_a_rotating_exit_hides_behind_no_camouflage():
    ring = group(RING)
    camouflage = {account: [f"198.51.100.{account % 5}", "192.0.2.1"] for account in RING}
    crowd = {account: [f"10.9.{account % 250}.{account // 250}", "192.0.2.1"] for account in range(SIZE)}
    population = among(ring, ip=crowd | camouflage)
    assert fires(shared_address(ring, population), ring, population)
