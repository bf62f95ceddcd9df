"""A property: whatever text stands in whatever field of a case, none of it is in anything that is written of it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.apps.share.showing import as_dict, lines
from stillwatch.model import Axis, Claim, Evidence, Family, Grade, Hypothesis, Share
from stillwatch.sharing.approval import Approval, release, write_bundle
from stillwatch.sharing.blocklist import FORMATS, blocklist
from stillwatch.sharing.case import Case, Kind, Shown
from stillwatch.sharing.leaving import decide
from stillwatch.sharing.stix import bundle
from stillwatch.sharing.tlp import Tlp
from tests.sharing.cases import SECRET, START, campaign, terms

NOW = START + dt.timedelta(days=10)
marks = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).map(
    lambda text: f"zqx¶{text}xqz"  # no field of what may leave is formed with this sign
)
counts = st.integers(0, 5_000)


@st.composite
def marked_cases(draw: st.DrawFn) -> tuple[Case, list[str]]:
    """A case with a mark in every field that holds text, and the marks."""
    used: list[str] = []

    def mark() -> str:
        used.append(draw(marks))
        return used[-1]

    shares = {name: (Share(mark(), 0.6), Share("coding", 0.4)) for name in
              ("capabilities", "models", "channels", "countries", "asns")}  # fmt: skip
    one = campaign(
        campaign_id=mark(), pool_id=mark(), status=mark(), claims=(Claim(mark(), Grade.OBSERVED),), overturn=(mark(),),
        actions=(mark(),), members=tuple(mark() for _ in range(12)), accounts=draw(st.integers(10, 99)), **shares,
    )  # fmt: skip
    evidence = (
        Evidence("campaign", mark(), mark(), Axis.COORDINATION, Family.IDENTITY, 3.0, mark(), (mark(),)),
        Evidence("campaign", mark(), "shared-payment", Axis.DECEPTION, Family.IDENTITY, 3.0, mark(), (mark(),)),
    )
    who = tuple(
        Hypothesis(role, mark(), mark(), draw(st.floats(0, 1)), Grade.INFERRED, (Claim(mark(), Grade.REPORTED),))
        for role in ("pool-operator", "workload-owner")
    )
    forms = ("{}", "198.51.100.7{}", "{}.example", "{}/1.0", "jane@{}.example", "t13d1516h2_8daaf6152771_{}", "AS{}")
    values = tuple(
        Shown(kind, draw(st.sampled_from(forms)).format(mark()), draw(counts), draw(counts), draw(st.integers(0, 2)))
        for kind in Kind
        for _ in range(3)
    )
    return Case(one, evidence, who, values, START, NOW), used


def texts(told: Case, level: Tlp) -> list[str]:
    """Everything that is written of a case for somebody else, and the preview's list of what stays."""
    on = terms(level)
    leaving = decide(told, on, SECRET)
    made = bundle(leaving)
    released = release(told, on, SECRET, Approval("R. Okafor", NOW))
    lists = [blocklist(made, form, NOW) for form in FORMATS]
    return [released.text, write_bundle(made), *lists, "\n".join(lines(leaving)), json.dumps(as_dict(leaving))]


@settings(max_examples=25, deadline=None)
@given(marked_cases(), st.sampled_from(Tlp))
def test_no_mark_of_any_field_is_in_any_export(told: tuple[Case, list[str]], level: Tlp) -> None:
    one, used = told
    for text in texts(one, level):
        plain = json.dumps(json.loads(text), ensure_ascii=False) if text.startswith("{") else text
        assert not re.search("zqx.*?xqz", plain)
        assert not [mark for mark in used if mark in plain]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(Kind), st.integers(1, 40), st.integers(0, 40), st.integers(0, 3)), max_size=30)
)
def test_well_formed_values_that_innocents_show_are_in_no_export(rows: list[tuple[Kind, int, int, int]]) -> None:
    form = {
        Kind.ADDRESS: "198.51.100.{}", Kind.PREFIX: "203.0.{}.0/24", Kind.ASN: "645{:02}", Kind.PAYMENT: "pm_{:08}",
        Kind.CLIENT: "t13d1516h2_8daaf6152771_{:012x}", Kind.MAIL_DOMAIN: "mailbox{:02}.example",
        Kind.USER_AGENT: "kit{:02}/1.0", Kind.TEMPLATE: "zqx {}",
    }  # fmt: skip
    values = [Shown(kind, form[kind].format(100 + at), members, 50, outsiders, protected)
              for at, (kind, members, outsiders, protected) in enumerate(rows)]  # fmt: skip
    told = Case(campaign(), (), (), tuple(values), START, NOW)
    written = "\n".join(texts(told, Tlp.RED))
    for one in values:
        if one.members < 5 or one.outsiders or one.protected or one.kind is Kind.PAYMENT:
            assert not re.search(rf"(?<![\w.]){re.escape(str(one.value))}(?![\w.])", written), one


def test_the_name_of_who_approved_is_in_the_receipt_alone() -> None:
    told = Case(campaign(), (), (), (), START, NOW)
    released = release(told, terms(), SECRET, Approval("R. Okafor", NOW))
    assert released.receipt["approved_by"] == "R. Okafor"
    assert "Okafor" not in released.text


def test_the_property_can_fail() -> None:
    leak = "zqx leak xqz"
    leaving = dataclasses.replace(decide(Case(campaign(), (), (), (), START, NOW), terms(), SECRET), models=(leak,))
    assert leak in write_bundle(bundle(leaving))
