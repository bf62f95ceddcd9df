"""Neighbours with work of their own share a network; one workload shares its frames."""

from __future__ import annotations

from stillwatch.signals.separate_work import separate_work
from tests.signals.build import among, bits_of, exculpates, group, is_silent

RING = range(0, 600, 20)


def test_speaks_for_members_who_have_no_frame_in_common():
    office = group(RING, exchanges=40, frames=range(200, 230), common=0)
    assert exculpates(separate_work(office, among(office)))


def test_says_less_the_more_frames_they_have_in_common():
    said = []
    for common in (0, 5, 15):
        office = group(RING, exchanges=40, common=common)
        said.append(bits_of(separate_work(office, among(office))))
    assert said == sorted(said)


def test_stays_silent_on_one_workload():
    ring = group(RING)
    assert is_silent(separate_work(ring, among(ring)))
