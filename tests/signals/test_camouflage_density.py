"""Dense sharing shows through ordinary traffic, and ordinary traffic alone is not dense."""

from __future__ import annotations

from stillwatch.signals.camouflage_density import camouflage_density
from tests.signals.build import FAINT, SIZE, among, bits_of, dealt, fires, group, is_silent, same

RING = range(0, 600, 20)
EXITS = [[f"198.51.100.{at}"] for at in range(6)]


def test_fires_on_members_that_share_identifiers_densely():
    ring = group(RING)
    population = among(
        ring, ip=dealt(RING, EXITS), payment_fingerprint=dealt(RING, ["virtual-1", "virtual-2", "virtual-3"])
    )
    assert fires(camouflage_density(ring, population), ring, population)


def test_edges_to_popular_values_buy_no_innocence():
    ring = group(RING)
    popular = [f"192.0.2.{at}" for at in range(4)]
    bare = {account: [f"198.51.100.{account % 6}"] for account in RING}
    crowd = {account: [f"10.9.{account % 250}.{account // 250}", popular[account % 4]] for account in range(SIZE)}
    hidden = {account: [*own, *popular] for account, own in bare.items()}
    before = bits_of(camouflage_density(ring, among(ring, ip=crowd | bare)))
    after = bits_of(camouflage_density(ring, among(ring, ip=crowd | hidden)))
    assert after > before / 2 > 0


def test_says_nothing_against_strangers():
    ring = group(RING)
    assert bits_of(camouflage_density(ring, among(ring))) <= 0.3


def test_stays_silent_on_values_that_everyone_shows():
    ring = group(RING)
    everyone = range(SIZE)
    population = among(
        ring,
        ip=same(everyone, ["192.0.2.1"]),
        signup_ip=same(everyone, "192.0.2.1"),
        payment_fingerprint=same(everyone, "voucher"),
        phone_hash=same(everyone, None),
    )
    assert bits_of(camouflage_density(ring, population)) <= 0.3


def test_one_coincidence_between_two_members_is_not_evidence():
    ring = group(RING)
    assert bits_of(camouflage_density(ring, among(ring, ip=same([0, 20], ["192.0.2.1"])))) < FAINT


def test_stays_silent_where_members_show_no_identifiers():
    ring = group(RING)
    nothing = {kind: same(RING, None) for kind in ("payment_fingerprint", "phone_hash", "signup_ip")}
    assert is_silent(camouflage_density(ring, among(ring, ip=same(RING, []), **nothing)))
