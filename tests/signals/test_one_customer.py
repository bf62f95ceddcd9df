"""A firm without a declared name still says openly that its accounts are one customer."""

from __future__ import annotations

from stillwatch.signals.one_customer import one_customer
from tests.signals.build import SIZE, among, dealt, exculpates, group, is_silent, same

FIRM = range(0, 600, 20)
OPEN = {"email_domain": same(FIRM, "firm.example"), "payment_fingerprint": same(FIRM, "card-1")}


def test_speaks_for_a_firm_with_one_domain_and_one_card():
    firm = group(FIRM)
    assert exculpates(one_customer(firm, among(firm, **OPEN)))


def test_speaks_for_a_firm_on_free_mail_that_works_from_one_server():
    firm = group(FIRM)
    population = among(firm, payment_fingerprint=same(FIRM, "card-1"), ip=same(FIRM, ["192.0.2.1"]))
    assert exculpates(one_customer(firm, population))


def test_speaks_for_two_firms_that_use_one_template():
    firms = group(FIRM)
    half = list(FIRM)[:15]
    own = {account: "a" if account in half else "b" for account in FIRM}
    domains = {account: f"{name}.example" for account, name in own.items()}
    cards = {account: f"card-{name}" for account, name in own.items()}
    assert exculpates(one_customer(firms, among(firms, email_domain=domains, payment_fingerprint=cards)))


def test_without_payments_a_firm_shows_itself_by_domain_and_address():
    firm = group(FIRM)
    known = {"email_domain": same(FIRM, "firm.example"), "absent": ["payment_fingerprint"]}
    assert exculpates(one_customer(firm, among(firm, ip=same(FIRM, ["192.0.2.1"]), **known)))
    assert is_silent(one_customer(firm, among(firm, **known)))


def test_a_free_mail_provider_is_nobodys_own_domain():
    ring = group(FIRM)
    everyone = same(range(SIZE), "mail.example")
    assert is_silent(one_customer(ring, among(ring, **(OPEN | {"email_domain": everyone}))))


def test_stays_silent_where_one_card_pays_for_different_names():
    ring = group(FIRM)
    names = {account: f"shop-{account}.example" for account in FIRM}
    assert is_silent(one_customer(ring, among(ring, **(OPEN | {"email_domain": names}))))


def test_stays_silent_where_every_account_has_a_card_of_its_own():
    ring = group(FIRM)
    cards = {account: f"card-{account}" for account in FIRM}
    assert is_silent(one_customer(ring, among(ring, **(OPEN | {"payment_fingerprint": cards}))))


def test_cards_and_domains_dealt_out_apart_are_nobodys():
    ring = group(FIRM)
    domains = dealt(FIRM, [f"{name}.example" for name in "abcd"])
    cards = dealt(FIRM, [f"card-{number}" for number in range(5)])
    assert is_silent(one_customer(ring, among(ring, email_domain=domains, payment_fingerprint=cards)))
