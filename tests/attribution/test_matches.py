"""A trait speaks where the campaign shows it and others do not; what is popular or planted on one says nothing."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.attribution.actors import KINDS, Trait
from stillwatch.attribution.keyed import Keyed
from stillwatch.attribution.matches import match
from stillwatch.attribution.scene import Scene, Setting
from stillwatch.campaigns.phases import Closer
from stillwatch.model import Grade
from tests.signals.build import AWAKE, DAY, SIZE, among, dealt, group, same

RING = range(40)
FIRST = dt.date(1970, 1, 1) + dt.timedelta(days=DAY)
FLAT = tuple((DAY + day, "coding", 100) for day in range(14))


def trait(kind: str, *values, within: int = 7, **dates) -> Trait:
    return Trait(kind, values, Grade.OBSERVED, "case", dates.get("valid_from"), dates.get("valid_until"), within)


def bits(
    one: Trait, *, days=FLAT, keys=None, clock=None, known=None, networks=None, models=None, **changes
) -> float | None:
    own = group(RING)
    population = among(own, **changes)
    accounts = np.array(RING, np.int64)
    scene = Scene(
        accounts, accounts, np.array(clock if clock is not None else AWAKE), Closer(days, keys or {}), models or {}
    )
    found = match(one, scene, Setting(population, Keyed((), known or {}, networks or {})))
    return None if found is None else found.bits


def test_cards_that_only_the_pool_uses_speak_and_cards_that_all_use_do_not():
    cards = dealt(RING, [f"pm-{number}" for number in range(8)])
    assert bits(trait("payment", "pm-1", "pm-2"), payment_fingerprint=cards) == KINDS["payment"].cap
    common = same(range(SIZE), "pm-1")
    assert bits(trait("payment", "pm-1"), payment_fingerprint=common) == pytest.approx(0.0, abs=0.01)


def test_one_account_that_shows_a_trait_may_have_been_planted():
    assert bits(trait("payment", "pm-1"), payment_fingerprint={0: "pm-1", 1: "pm-1"}) == 0.0


def test_addresses_are_found_by_prefix_and_by_themselves():
    exits = dealt(RING, [[f"198.18.4.{host}"] for host in range(20)])
    assert bits(trait("prefix", "198.18.4."), ip=exits) > 4
    assert bits(trait("prefix", "198.18.40."), ip=exits) == 0.0
    assert bits(trait("address", "198.18.4.1", "198.18.4.2"), ip=exits) > 4


def test_a_client_is_found_by_its_user_agent_or_its_fingerprint():
    stacks = same(RING, ["t13d-own|builder/1.0|64500"])
    assert bits(trait("client", "builder/1.0"), stack_asn=stacks) == KINDS["client"].cap
    assert bits(trait("client", "t13d-own"), stack_asn=stacks) == KINDS["client"].cap
    assert bits(trait("client", "builder"), stack_asn=stacks) == 0.0


def test_a_network_that_a_third_of_all_accounts_use_says_nothing():
    ring = [f"a{account:05d}" for account in RING]
    crowd = [f"a{account:05d}" for account in range(0, SIZE, 3)]
    assert bits(trait("asn", 64500), networks={64500: pa.array(ring)}) == KINDS["asn"].cap
    assert bits(trait("asn", 64500), networks={64500: pa.array(sorted({*ring, *crowd}))}) < 1.7
    assert bits(trait("asn", 64500), networks={64500: pa.array(crowd)}) == pytest.approx(0.0, abs=0.1)
    assert bits(trait("asn", 64500)) is None


@pytest.mark.parametrize(("kind", "column"), [("persona", "system_key"), ("tool", "tools_key")])
def test_personas_and_tools_are_looked_for_in_the_campaigns_own_exchanges(kind, column):
    known = {kind: {"text": frozenset([77])}}
    shows = {column: same(RING, ["77"])}
    own = {column: {77: (900, 40)}}
    assert bits(trait(kind, "text"), known=known, keys=own, **shows) == KINDS[kind].cap
    assert bits(trait(kind, "text"), known=known, keys={}, **shows) == 0.0  # another owner of the pool sends it
    assert bits(trait(kind, "text"), known=known, keys=own, **{column: same(range(SIZE), ["77"])}) < 0.1
    assert bits(trait(kind, "text"), keys=own, **shows) is None


def test_a_suite_that_many_run_says_nothing_and_one_template_of_it_little():
    ran = [(account, frame, 3) for account in RING for frame in (501, 502)]
    known = {"suite": {"one": frozenset([501]), "two": frozenset([502])}}
    suite = trait("suite", "one", "two")
    assert bits(suite, known=known, atoms=ran) == KINDS["suite"].cap
    assert bits(suite, known=known, atoms=ran[::2]) == 2.5
    crowd = [(account, frame, 3) for account in range(SIZE) for frame in (501, 502)]
    assert bits(suite, known=known, atoms=crowd) == pytest.approx(0.0, abs=0.01)


def test_a_suite_that_nobody_ran_often_enough_is_not_held_against_anybody():
    assert bits(trait("suite", "one"), known={"suite": {"one": frozenset()}}) is None


def test_hours_speak_only_where_neither_everybody_nor_a_machine_has_them():
    night = [30 if hour < 6 else 1 for hour in range(24)]
    assert bits(trait("active-hours", *night), clock=night) == KINDS["active-hours"].cap
    usual = (among(group(RING)).clock.sum(axis=0) // 50).tolist()
    assert bits(trait("active-hours", *usual), clock=usual) == pytest.approx(0.0, abs=0.1)
    flat = [10] * 24
    assert bits(trait("active-hours", *flat), clock=flat) == pytest.approx(0.0, abs=0.1)


def test_silence_on_days_off_speaks_where_other_days_are_busy():
    off = FIRST + dt.timedelta(days=5)
    resting = tuple(row for row in FLAT if row[0] != DAY + 5)
    assert bits(trait("silent-days", off), days=resting) > 3
    assert bits(trait("silent-days", off)) == 0.0
    weekly = tuple(row for row in FLAT if row[0] % 2)
    odd = next(FIRST + dt.timedelta(days=day) for day in range(4, 8) if not (DAY + day) % 2)
    assert bits(trait("silent-days", odd), days=weekly) < 1.5  # it is silent every other day anyway
    assert bits(trait("silent-days", FIRST - dt.timedelta(days=90))) is None


def test_a_launch_speaks_where_the_traffic_gathers_around_it():
    day = FIRST + dt.timedelta(days=6)
    hurried = tuple((number, name, 2000 if abs(number - DAY - 6) <= 1 else 10) for number, name, _ in FLAT)
    assert bits(trait("launch", day, within=1), days=hurried) == pytest.approx(2.2, abs=0.1)
    assert bits(trait("launch", day, within=1)) == 0.0
    assert bits(trait("launch", FIRST + dt.timedelta(days=90), within=1)) is None


def test_a_launch_speaks_where_the_campaign_moves_to_another_model_once_and_then():
    day = FIRST + dt.timedelta(days=6)
    moved = {("m-1" if at < 6 else "m-2", DAY + at): 50 for at in range(14)}
    to_and_fro = {("m-1" if at % 2 else "m-2", DAY + at): 50 for at in range(14)}
    assert bits(trait("launch", day, within=1), models=moved) == pytest.approx(2.2, abs=0.1)
    assert bits(trait("launch", day + dt.timedelta(days=4), within=1), models=moved) == 0.0
    assert bits(trait("launch", day, within=1), models=to_and_fro) == 0.0


def test_a_trait_that_did_not_hold_at_the_time_is_not_looked_for():
    old = trait("payment", "pm-1", valid_until=FIRST - dt.timedelta(days=1))
    assert bits(old, payment_fingerprint=same(RING, "pm-1")) is None


def test_what_the_log_does_not_have_is_not_evaluated():
    assert bits(trait("payment", "pm-1"), absent=["payment_fingerprint"]) is None
