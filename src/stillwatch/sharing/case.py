"""What is known of one campaign before anybody asks what of it may leave: internal, never shared as it is."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from stillwatch.model import Campaign, Evidence, Hypothesis
from stillwatch.sketch.fingerprints import Fingerprint


class Kind(StrEnum):
    """What an account can show that others could look for."""

    ADDRESS = "address"
    PREFIX = "prefix"
    ASN = "asn"
    CLIENT = "client"  # JA4 or JA3
    USER_AGENT = "user-agent"
    MAIL_DOMAIN = "mail-domain"
    PAYMENT = "payment"
    TEMPLATE = "template"


@dataclass(frozen=True, slots=True)
class Shown:
    """One value that members of a campaign show, and who else does: all that decides whether it may leave."""

    kind: Kind
    value: str | Fingerprint
    members: int  # accounts of the campaign
    exchanges: int | None  # of the campaign; None: not counted
    outsiders: int | None  # accounts in no campaign; None: not counted
    protected: int = 0  # accounts, members among them, that are licensed or were cleared by a person


@dataclass(frozen=True, slots=True)
class Case:
    """A campaign with everything that is said of it. `since` and `until` are the ends of its first and last run."""

    campaign: Campaign
    evidence: tuple[Evidence, ...]
    hypotheses: tuple[Hypothesis, ...]
    shown: tuple[Shown, ...]
    since: dt.datetime
    until: dt.datetime
