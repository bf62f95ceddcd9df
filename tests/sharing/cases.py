"""Cases made by hand, and terms to share them on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from stillwatch.model import Axis, Campaign, Claim, Evidence, Family, Grade, Hypothesis, Share, VerdictKind
from stillwatch.sharing.case import Case, Kind, Shown
from stillwatch.sharing.terms import Producer, SharedKey, Terms
from stillwatch.sharing.tlp import Tlp
from stillwatch.sketch.fingerprints import Fingerprint

SECRET = b"a secret of the deployment"
START = dt.datetime(2026, 3, 1, 4, 37, 12, tzinfo=dt.UTC)
JA4 = "t13d1516h2_8daaf6152771_b186095e22b6"
TEMPLATE = Fingerprint(tuple(sorted((number * 2_654_435_761) % 2**32 for number in range(1, 13))))
VALUES: tuple[tuple[Kind, Any], ...] = (
    (Kind.ADDRESS, "198.51.100.7"),
    (Kind.ADDRESS, "2001:db8::17"),
    (Kind.PREFIX, "203.0.113.0/24"),
    (Kind.ASN, "64500"),
    (Kind.CLIENT, JA4),
    (Kind.CLIENT, "e7d705a3286e19ea42f587b344ee6865"),
    (Kind.USER_AGENT, "harvest-kit/0.9 python-httpx/0.27"),
    (Kind.MAIL_DOMAIN, "mailbox.example"),
    (Kind.PAYMENT, "pm_69ac093b"),
    (Kind.TEMPLATE, TEMPLATE),
)


def shown(kind: Kind, value: Any, **held: Any) -> Shown:
    numbers = {"members": 20, "exchanges": 437, "outsiders": 0, "protected": 0} | held
    return Shown(kind, value, **numbers)


def campaign(**held: Any) -> Campaign:
    told: dict[str, Any] = {
        "campaign_id": "C-b7c52a8e46", "verdict": VerdictKind.DISTILLATION, "p": 0.97, "coordination_bits": 12.55,
        "extraction_bits": 6.3, "deception_bits": 4.5, "accounts": 82, "exchanges": 2_537, "flagged_exchanges": 2_537,
        "output_tokens": 2_613_616, "first_seen": START, "last_seen": START + dt.timedelta(days=9),
        "pool_id": "P-acct-00", "capabilities": (Share("coding", 0.72), Share("grading", 0.28)),
        "models": (Share("opal-4-internal", 1.0),), "countries": (Share("ZZ", 1.0),), "asns": (Share("64500", 0.9),),
        "claims": (Claim("80 of 82 members share a card", Grade.OBSERVED),), "overturn": ("a licence exists",),
        "members": tuple(f"acct-{number:02}" for number in range(12)),
    }  # fmt: skip
    return Campaign(**told | held)


def hypotheses(pool: float = 0.6, owner: float = 0.75) -> tuple[Hypothesis, ...]:
    found = []
    for role, name, p in (("pool-operator", "pool-7", pool), ("workload-owner", "owner-3", owner)):
        if p:
            found.append(Hypothesis(role, name, f"Local name of {name}", p, Grade.INFERRED))
        found.append(Hypothesis(role, "unknown", "unknown", 1 - p, Grade.INFERRED))
    return tuple(found)


def case(values: Sequence[Shown] | None = None, who: tuple[Hypothesis, ...] | None = None, **held: Any) -> Case:
    evidence = (
        Evidence(
            "campaign", "C-b7c52a8e46", "shared-payment", Axis.COORDINATION, Family.IDENTITY, 4.2, "80 of 82 share"
        ),
        Evidence("campaign", "C-b7c52a8e46", "template-novelty", Axis.EXTRACTION, Family.CONTENT, 5.1, "99% are new"),
    )
    own = tuple(shown(kind, value) for kind, value in VALUES) if values is None else tuple(values)
    who = hypotheses() if who is None else who
    return Case(campaign(**held), evidence, who, own, START + dt.timedelta(days=2), START + dt.timedelta(days=14))


def terms(level: Tlp = Tlp.AMBER_STRICT, **held: Any) -> Terms:
    """Terms that open everything, unless said otherwise."""
    told: dict[str, Any] = {
        "producer": Producer("Provider A", "ti@provider-a.example", "api.provider-a.example"), "tlp": level,
        "partner": "provider-b", "include": frozenset({"accounts", "user-agent"}),
        "shared_key": SharedKey("b-2026-11", b"k" * 32), "models": {"opal-4-internal": "Opal 4"},
        "operators": {"owner-3": "GREY HERON"},
    }  # fmt: skip
    return Terms(**told | held)
