"""What hiding costs: declared assumptions, dollars that grow with the strength, nothing for not hiding."""

from __future__ import annotations

import dataclasses

import pytest

from stillwatch.lab.evasions import cost
from stillwatch.lab.evasions.catalogue import combinations, evasions
from stillwatch.lab.evasions.cost import assumptions, attacker_cost
from stillwatch.lab.scenario import load_scenario, scenario_names

NAMES = [*evasions(), *combinations()]
SCENARIO = load_scenario("a_reasoning", "tuning")


@pytest.mark.parametrize("name", NAMES)
def test_not_hiding_is_free(name: str) -> None:
    free = attacker_cost(name, 0.0, SCENARIO)
    assert (free.dollars_per_1000, free.slowdown, free.terms) == (0.0, 1.0, ())


@pytest.mark.parametrize("scenario", scenario_names())
@pytest.mark.parametrize("name", NAMES)
def test_every_evasion_has_a_price_in_every_scenario_that_grows_with_its_strength(name: str, scenario: str) -> None:
    of = load_scenario(scenario, "report")
    steps = [attacker_cost(name, strength, of) for strength in (0.2, 0.6, 1.0)]
    burden = [(abs(one.dollars_per_1000), one.slowdown) for one in steps]
    assert all(one.slowdown >= 1 for one in steps)
    if name != "everything":  # its parts save and cost
        assert burden == sorted(burden)


@pytest.mark.parametrize("one", assumptions().values(), ids=lambda one: one.name)
def test_every_assumption_says_its_unit_and_where_it_is_from(one: cost.Assumption) -> None:
    assert one.unit
    assert one.source.startswith(("FACTS ", "judgement", "the lab's own corpus"))


def test_every_assumption_is_used_and_named_by_a_term() -> None:
    used = {each.name for name in evasions() for each in attacker_cost(name, 1.0, SCENARIO).assumptions}
    assert used == set(assumptions())


def test_a_combination_costs_the_sum_of_its_parts_and_their_delays_multiply() -> None:
    parts = [attacker_cost(part, strength, SCENARIO) for part, strength in combinations()["careful"].items()]
    whole = attacker_cost("careful", 1.0, SCENARIO)
    assert whole.dollars_per_1000 == pytest.approx(sum(one.dollars_per_1000 for one in parts))
    product = 1.0
    for one in parts:
        product *= one.slowdown
    assert whole.slowdown == pytest.approx(product)


def test_cover_wastes_nineteen_exchanges_for_each_that_is_harvested() -> None:
    assert attacker_cost("mixing", 1.0, SCENARIO).slowdown == pytest.approx(20.0)


def test_few_exchanges_an_account_make_homes_dear() -> None:
    per_account = [dataclasses.replace(SCENARIO, accounts=n) for n in (10, 4_000)]
    cheap, dear = (attacker_cost("residential", 1.0, one).dollars_per_1000 for one in per_account)
    assert dear > 100 * cheap
