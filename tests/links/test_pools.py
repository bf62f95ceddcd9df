"""Rare values make a pool, popular values make nobody one, and the same graph makes the same pools."""

from __future__ import annotations

from typing import Any

import numpy as np

from stillwatch.links.pools import find_pools
from stillwatch.sketch.population import Population
from tests.signals.build import SIZE, among, dealt, group, same

EVERYONE = range(SIZE)
RING, OTHER = range(0, 600, 20), range(5, 605, 20)


def loners(**changes: dict[int, Any]) -> Population:
    """Accounts that share nothing but a mail provider, until something is changed."""
    alone: dict[str, dict[int, Any]] = {
        "ip": {account: [f"10.{account // 250}.{account % 250}.1"] for account in EVERYONE},
        "email_domain": same(EVERYONE, "mail.example"),
        **{kind: same(EVERYONE, None) for kind in ("payment_fingerprint", "phone_hash", "signup_ip", "org_id")},
    }
    return among(group(RING), **{kind: alone.get(kind, {}) | changes.get(kind, {}) for kind in alone | changes})


def test_accounts_paid_with_one_rare_instrument_are_one_pool():
    pools = find_pools(loners(payment_fingerprint=same(RING, "virtual")))
    assert len(set(pools[list(RING)].tolist())) == 1
    assert (pools >= 0).sum() == len(RING)


def test_a_pool_holds_together_through_overlapping_values():
    cards = dealt(RING, [f"virtual-{at}" for at in range(6)])
    exits = {account: [f"198.51.100.{at % 4}"] for at, account in enumerate(RING)}
    pools = find_pools(loners(payment_fingerprint=cards, ip=exits))
    assert (pools >= 0).sum() == len(RING)


def test_two_operators_are_two_pools():
    cards = same(RING, "virtual-1") | same(OTHER, "virtual-2")
    pools = find_pools(loners(payment_fingerprint=cards))
    assert len({int(pools[RING[0]]), int(pools[OTHER[0]]), -1}) == 3


def test_two_operators_behind_one_popular_exit_are_two_pools():
    cards = same(RING, "virtual-1") | same(OTHER, "virtual-2")
    popular = {account: ["192.0.2.1", f"10.{account // 250}.{account % 250}.1"] for account in EVERYONE}
    pools = find_pools(loners(payment_fingerprint=cards, ip=popular))
    assert pools[RING[0]] != pools[OTHER[0]]
    assert (pools >= 0).sum() == len(RING) + len(OTHER)


def test_popular_values_merge_nobody():
    everywhere = {"ip": same(EVERYONE, ["192.0.2.1"]), "payment_fingerprint": same(EVERYONE, "voucher")}
    assert (find_pools(loners(**everywhere)) == -1).all()


def test_a_value_of_a_quarter_of_all_accounts_merges_nobody():
    assert (find_pools(loners(phone_hash=same(range(0, SIZE, 4), "switchboard"))) == -1).all()


def test_a_couple_is_no_pool():
    assert (find_pools(loners(payment_fingerprint=same([3, 9], "card"))) == -1).all()


def test_strangers_are_no_pool():
    assert (find_pools(loners()) == -1).all()


def test_a_log_without_any_identity_has_no_pools():
    absent = ["ip", "payment_fingerprint", "phone_hash", "signup_ip", "email_domain"]
    assert (find_pools(among(group(RING), absent=absent)) == -1).all()


def test_the_same_graph_gives_the_same_pools():
    population = among(group(RING), payment_fingerprint=dealt(RING, ["virtual-1", "virtual-2"]))
    first = find_pools(population)
    assert all(np.array_equal(first, find_pools(population)) for _ in range(3))
