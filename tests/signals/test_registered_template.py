"""A registered public template speaks for everyone who fills it, and for nobody else."""

from __future__ import annotations

from stillwatch.signals.registered_template import registered_template
from tests.signals.build import TEMPLATE, among, bits_of, exculpates, group, is_silent

RING = range(0, 600, 20)


def test_speaks_for_accounts_that_fill_a_registered_template():
    crowd = group(RING)
    assert exculpates(registered_template(crowd, among(crowd, public_templates=[TEMPLATE])))


def test_speaks_in_proportion_to_the_templates_that_are_registered():
    mixed = group(RING, frames=[TEMPLATE, TEMPLATE + 1])
    half = registered_template(mixed, among(mixed, public_templates=[TEMPLATE]))
    whole = registered_template(mixed, among(mixed, public_templates=[TEMPLATE, TEMPLATE + 1]))
    assert bits_of(whole) < bits_of(half) < 0


def test_stays_silent_on_a_template_of_the_operators_own():
    ring = group(RING)
    assert is_silent(registered_template(ring, among(ring, public_templates=[TEMPLATE + 1])))


def test_stays_silent_where_nothing_is_registered():
    ring = group(RING)
    assert registered_template(ring, among(ring)) is None
