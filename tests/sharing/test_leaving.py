"""The gate: who is too few, too popular, too innocent or too little agreed on to leave."""

from __future__ import annotations

import pytest

from stillwatch.model import UsageError, VerdictKind
from stillwatch.sharing.case import Kind
from stillwatch.sharing.leaving import FIELDS, LEAST_SHOWING, Leaving, decide
from stillwatch.sharing.tlp import Tlp
from tests.sharing.cases import SECRET, VALUES, case, hypotheses, shown, terms


def kinds(leaving: Leaving) -> set[str]:
    return {one.kind.value for one in leaving.indicators}


def why(leaving: Leaving, what: str) -> str:
    return " ".join(one.why for one in leaving.withheld if one.what == what)


def test_everything_leaves_on_terms_that_open_everything() -> None:
    leaving = decide(case(), terms(), SECRET)
    assert kinds(leaving) == {kind.value for kind in Kind}
    assert not leaving.withheld
    assert len(leaving.accounts) == 12


@pytest.mark.parametrize("verdict", [VerdictKind.SUSPECT, VerdictKind.WATCH, VerdictKind.CLEAR])
def test_only_confirmed_distillation_is_shared(verdict: VerdictKind) -> None:
    with pytest.raises(UsageError, match="only confirmed distillation"):
        decide(case(verdict=verdict), terms(), SECRET)


def test_a_campaign_of_few_accounts_is_not_shared() -> None:
    with pytest.raises(UsageError, match="9 accounts"):
        decide(case(accounts=9), terms(), SECRET)


def test_nothing_is_shared_under_pseudonyms_that_anybody_can_undo() -> None:
    with pytest.raises(UsageError, match="STILLWATCH_SECRET"):
        decide(case(), terms(), b"")


@pytest.mark.parametrize(("kind", "value"), VALUES, ids=[f"{kind}-{at}" for at, (kind, _) in enumerate(VALUES)])
def test_an_indicator_that_points_at_others_stays(kind: Kind, value: object) -> None:
    for told, reason in (
        (shown(kind, value, members=LEAST_SHOWING - 1), "fewer than"),
        (shown(kind, value, protected=1), "licensed or were cleared"),
        (shown(kind, value, outsiders=None), "not known who else"),
        (shown(kind, value, outsiders=2), "outside the campaigns"),
    ):
        leaving = decide(case([told]), terms(), SECRET)
        assert not leaving.indicators
        assert reason in why(leaving, kind.value)


def test_of_a_template_a_few_missed_members_are_tolerated_and_a_crowd_is_not() -> None:
    few = shown(Kind.TEMPLATE, VALUES[-1][1], members=400, outsiders=8)
    crowd = shown(Kind.TEMPLATE, VALUES[-1][1], members=400, outsiders=9)
    assert len(decide(case([few]), terms(), SECRET).indicators) == 1
    assert not decide(case([crowd]), terms(), SECRET).indicators


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Kind.ADDRESS, "10.1.2.3"), (Kind.ADDRESS, "100.64.0.9"), (Kind.ADDRESS, "127.0.0.1"), (Kind.ADDRESS, "::1"),
        (Kind.ADDRESS, "224.0.0.1"), (Kind.ADDRESS, "acme-corp"), (Kind.PREFIX, "0.0.0.0/0"),
        (Kind.PREFIX, "1.0.0.0/8"),
        (Kind.PREFIX, "192.168.0.0/24"), (Kind.ASN, "0"), (Kind.ASN, "64500; acme"), (Kind.CLIENT, "acme"),
        (Kind.USER_AGENT, "acme/1.0 (jane@acme.example)"), (Kind.USER_AGENT, "acme laptop 7"),
        (Kind.MAIL_DOMAIN, "jane@acme.example"), (Kind.MAIL_DOMAIN, "acme"), (Kind.TEMPLATE, "summarise this text"),
    ],
)  # fmt: skip
def test_a_value_of_another_form_stays(kind: Kind, value: str) -> None:
    leaving = decide(case([shown(kind, value)]), terms(), SECRET)
    assert not leaving.indicators
    assert leaving.withheld


@pytest.mark.parametrize("level", list(Tlp))
def test_each_field_leaves_from_its_level_on(level: Tlp) -> None:
    leaving = decide(case(), terms(level), SECRET)
    allowed = {field for field, (least, _) in FIELDS.items() if level.rank >= least.rank}
    assert kinds(leaving) == allowed & {kind.value for kind in Kind}
    held = {
        "volumes": leaving.accounts_at_least, "evidence": leaving.detectors, "capabilities": leaving.capabilities,
        "models": leaving.models, "pool": leaving.pool, "accounts": leaving.accounts, "operators": leaving.hypotheses,
        "techniques": leaving.techniques,
    }  # fmt: skip
    assert {field for field, value in held.items() if value} == allowed & set(held)


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_what_a_partners_terms_withhold_stays_at_every_level(field: str) -> None:
    leaving = decide(case(), terms(withhold=frozenset({field})), SECRET)
    assert "the partner's terms withhold it" in why(leaving, field)
    assert field not in kinds(leaving)


def test_user_agents_and_accounts_leave_only_where_they_are_asked_for_by_name() -> None:
    leaving = decide(case(), terms(include=frozenset()), SECRET)
    assert not leaving.accounts
    assert "user-agent" not in kinds(leaving)


def test_payment_instruments_leave_only_hashed_under_a_shared_key() -> None:
    assert "payment" not in kinds(decide(case(), terms(shared_key=None), SECRET))
    values = [one.value for one in decide(case(), terms(), SECRET).indicators if one.kind is Kind.PAYMENT]
    assert len(values[0]) == 64
    assert "pm_69ac093b" not in values[0]


def test_counts_are_rounded_down_and_times_cut_to_the_hour() -> None:
    leaving = decide(case(), terms(), SECRET)
    assert (leaving.accounts_at_least, leaving.exchanges_at_least) == (80, 2_500)
    assert {one.exchanges_at_least for one in leaving.indicators} == {430}
    assert all(not moment.minute for moment in (leaving.first_seen, leaving.last_seen, leaving.until))


def test_an_operator_has_its_published_name_or_a_pseudonym_and_unknown_has_none() -> None:
    names = [one.name for one in decide(case(), terms(), SECRET).hypotheses]
    assert names[1] is None
    assert names[2] == "GREY HERON"
    assert "pool-7" not in str(names)
    alone = decide(case(who=hypotheses(0, 0)), terms(), SECRET).hypotheses
    assert [one.name for one in alone] == [None, None]


def test_pseudonyms_stay_and_depend_on_the_secret() -> None:
    first, again, other = (decide(case(), terms(), secret) for secret in (SECRET, SECRET, b"another secret"))
    assert first == again
    assert not set(first.accounts) & set(other.accounts)
    assert first.name != other.name
