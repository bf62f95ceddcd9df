"""What may leave, decided here and nowhere else: a case goes in, what others may know of it comes out.

Nothing is passed on because it was not forbidden. Every word that leaves is one of a fixed vocabulary, a number that
was rounded, a value whose form was checked and whom nobody innocent shows, or a name that the deployment published.
Whatever builds bundles, MISP events or blocklists is given a `Leaving` and never sees the case.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stillwatch.model import Axis, Evidence, Family, Share, UsageError, VerdictKind
from stillwatch.sharing.atlas import techniques_of
from stillwatch.sharing.case import Case, Kind, Shown
from stillwatch.sharing.grammar import well_formed
from stillwatch.sharing.operators import PublicHypothesis, public_hypotheses
from stillwatch.sharing.rounding import at_least, in_words, to_the_hour
from stillwatch.sharing.terms import Producer, Terms
from stillwatch.sharing.tlp import Tlp
from stillwatch.signals.roster import ROSTER
from stillwatch.sketch.fingerprints import Fingerprint
from stillwatch.sketch.intent import CAPABILITIES

# From which level on a field may leave, and whether only where it is asked for by name. That there is a campaign, when
# (by the hour) and how sure that is are not fields: without them there is nothing to share.
FIELDS: Mapping[str, tuple[Tlp, bool]] = {
    "capabilities": (Tlp.CLEAR, False),
    "techniques": (Tlp.CLEAR, False),
    "volumes": (Tlp.GREEN, False),
    "evidence": (Tlp.GREEN, False),
    "models": (Tlp.AMBER, False),
    "operators": (Tlp.AMBER, False),
    "pool": (Tlp.AMBER, False),
    "template": (Tlp.AMBER, False),
    "client": (Tlp.AMBER, False),
    "address": (Tlp.AMBER, False),
    "prefix": (Tlp.AMBER, False),
    "asn": (Tlp.AMBER, False),
    "mail-domain": (Tlp.AMBER, False),
    "user-agent": (Tlp.AMBER_STRICT, True),
    "accounts": (Tlp.AMBER_STRICT, True),
    "payment": (Tlp.AMBER_STRICT, False),  # and only under a key shared with the partner
}
LEAST_ACCOUNTS = 10  # of a campaign: below it the numbers speak of people
LEAST_SHOWING = 5  # accounts that show an indicator: below it the value is somebody's own
TEMPLATE_OUTSIDERS = 0.02  # of all accounts that fill a template: members that detection missed; people, if more
MANY_SHOWING = 20  # members from which one account outside is a member that was missed, though it is more than that
MOST_INDICATORS = 5_000  # of one campaign, the most shown first: a list that is longer is a log
# How long an indicator holds after it was last seen, and how much it says alone. Judgement, not measurement: addresses
# of proxies change hands within days, cards and wording last longer.
LASTS: Mapping[Kind, int] = {Kind.ADDRESS: 14, Kind.PREFIX: 14, Kind.ASN: 30, Kind.CLIENT: 60, Kind.USER_AGENT: 60,
                             Kind.MAIL_DOMAIN: 90, Kind.PAYMENT: 90, Kind.TEMPLATE: 180}  # days  # fmt: skip
SAYS: Mapping[Kind, int] = {Kind.ADDRESS: 50, Kind.PREFIX: 30, Kind.ASN: 15, Kind.CLIENT: 30, Kind.USER_AGENT: 30,
                            Kind.MAIL_DOMAIN: 30, Kind.PAYMENT: 85, Kind.TEMPLATE: 85}  # at most  # fmt: skip
SIGNALS = frozenset(signal.name for signal in ROSTER)


@dataclass(frozen=True, slots=True)
class Indicator:
    """A value that may leave."""

    kind: Kind
    value: str  # of a template: the text of its fingerprint; of a payment instrument: its hash under the shared key
    accounts_at_least: int | None
    exchanges_at_least: int | None
    confidence: int
    valid_from: dt.datetime
    valid_until: dt.datetime


@dataclass(frozen=True, slots=True)
class Withheld:
    """What does not leave, by kind and reason only: the preview of a secret must not be one."""

    what: str
    why: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Detector:
    """A signal that spoke, by its public name."""

    signal: str
    axis: str
    family: str
    bits: float


@dataclass(frozen=True, slots=True)
class Leaving:
    """All that others may know of a campaign."""

    producer: Producer
    tlp: Tlp
    partner: str
    name: str  # pseudonym of the campaign
    confidence: int
    since: dt.datetime
    until: dt.datetime
    first_seen: dt.datetime
    last_seen: dt.datetime
    capabilities: tuple[tuple[str, int], ...]  # with percent of exchanges, rounded to tens
    techniques: tuple[str, ...]  # of MITRE ATLAS
    accounts_at_least: int | None
    exchanges_at_least: int | None
    output_tokens_at_least: int | None
    axes: tuple[tuple[str, float], ...]
    detectors: tuple[Detector, ...]
    models: tuple[str, ...]
    pool: str | None
    hypotheses: tuple[PublicHypothesis, ...]
    indicators: tuple[Indicator, ...]
    accounts: tuple[str, ...]  # pseudonyms
    key_id: str | None
    withheld: tuple[Withheld, ...]
    suspected: bool = False  # not confirmed: only where the partner's terms ask for suspicions


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Names for what has one only inside: the same each time, and worthless to whoever has not the secret."""

    secret: bytes

    def of(self, kind: str, value: str) -> str:
        """Return the public name of something, twelve hexadecimal digits."""
        return hmac.new(self.secret, f"stillwatch share {kind}\0{value}".encode(), hashlib.sha256).hexdigest()[:12]


def decide(case: Case, terms: Terms, secret: bytes) -> Leaving:
    """Return what of a case may leave on these terms.

    Raises UsageError when nothing may: no verdict of distillation, too few accounts, no secret for pseudonyms.
    """
    _refuse_whole(case, terms, secret)
    names, gate = Pseudonyms(secret), _Gate(terms)
    campaign = case.campaign
    chosen = sorted(_indicators(case, gate), key=lambda one: (-(one.accounts_at_least or 0), one.kind, one.value))
    if len(chosen) > MOST_INDICATORS:
        gate.refuse("indicators", f"more than {MOST_INDICATORS} of one campaign", len(chosen) - MOST_INDICATORS)
    volumes, said = gate.opens("volumes"), gate.opens("evidence")
    who = public_hypotheses(case.hypotheses, terms.operators, names.of) if gate.opens("operators") else ()
    return Leaving(
        producer=terms.producer, tlp=terms.tlp, partner=terms.partner, name=names.of("campaign", campaign.campaign_id),
        confidence=in_words(campaign.p), since=to_the_hour(case.since), until=to_the_hour(case.until),
        first_seen=to_the_hour(campaign.first_seen), last_seen=to_the_hour(campaign.last_seen),
        capabilities=_capabilities(campaign.capabilities, gate) if gate.opens("capabilities") else (),
        techniques=techniques_of(case) if gate.opens("techniques") else (),
        accounts_at_least=at_least(campaign.accounts) if volumes else None,
        exchanges_at_least=at_least(campaign.exchanges) if volumes else None,
        output_tokens_at_least=at_least(campaign.output_tokens) if volumes else None,
        axes=_axes(case) if said else (), detectors=_detectors(case.evidence, gate) if said else (),
        models=_models(campaign.models, terms, gate) if gate.opens("models") else (),
        pool=names.of("pool", campaign.pool_id) if campaign.pool_id and gate.opens("pool") else None,
        hypotheses=who, indicators=tuple(chosen[:MOST_INDICATORS]),
        accounts=_accounts(case, gate, names), key_id=terms.shared_key.key_id if terms.shared_key else None,
        withheld=gate.withheld(), suspected=campaign.verdict is not VerdictKind.DISTILLATION,
    )  # fmt: skip


def _refuse_whole(case: Case, terms: Terms, secret: bytes) -> None:
    campaign = case.campaign
    suspected = terms.suspicions and campaign.verdict is VerdictKind.SUSPECT
    if campaign.verdict is not VerdictKind.DISTILLATION and not suspected:
        raise UsageError(
            f"campaign {campaign.campaign_id} is {campaign.verdict}; only confirmed distillation is shared, for a "
            "suspicion that is passed on becomes a fact elsewhere"
        )
    if campaign.accounts < LEAST_ACCOUNTS:
        raise UsageError(
            f"campaign {campaign.campaign_id} has {campaign.accounts} accounts; below {LEAST_ACCOUNTS} what is shared "
            "would speak of single accounts"
        )
    if not secret:
        raise UsageError(
            "set STILLWATCH_SECRET before sharing: pseudonyms made with a key that everybody has are names in clear"
        )


class _Gate:
    """Which fields these terms open, and a tally of what stayed."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self._tally: dict[tuple[str, str], int] = {}

    def refuse(self, what: str, why: str, count: int = 1) -> None:
        self._tally[what, why] = self._tally.get((what, why), 0) + count

    def opens(self, field: str, count: int = 1) -> bool:
        least, by_name = FIELDS[field]
        reason = ""
        if field in self.terms.withhold:
            reason = "the partner's terms withhold it"
        elif self.terms.tlp.rank < least.rank:
            reason = f"leaves from TLP:{least.upper()} on"
        elif by_name and field not in self.terms.include:
            reason = "leaves only where the partner's terms include it by name"
        elif field == "payment" and self.terms.shared_key is None:
            reason = "leaves only under a key shared with the partner"
        if reason:
            self.refuse(field, reason, count)
        return not reason

    def withheld(self) -> tuple[Withheld, ...]:
        return tuple(Withheld(what, why, count) for (what, why), count in sorted(self._tally.items()))


def _indicators(case: Case, gate: _Gate) -> Iterator[Indicator]:
    for one in case.shown:
        if not gate.opens(one.kind.value):
            continue
        value, why = _value(one, gate.terms)
        reason = _innocents(one) or why
        if value is None or reason:
            gate.refuse(one.kind.value, reason)
            continue
        yield Indicator(
            one.kind,
            value,
            at_least(one.members),
            None if one.exchanges is None else at_least(one.exchanges),
            min(in_words(case.campaign.p), SAYS[one.kind]),
            to_the_hour(case.campaign.first_seen),
            to_the_hour(case.campaign.last_seen) + dt.timedelta(days=LASTS[one.kind]),
        )


def _innocents(one: Shown) -> str:
    """Return why a value would point at somebody innocent or at a single account; empty if it does not."""
    if one.protected:
        return "shown by accounts that are licensed or were cleared"
    if one.members < LEAST_SHOWING:
        return f"shown by fewer than {LEAST_SHOWING} of its accounts"
    if one.outsiders is None:
        return "not known who else shows it: gather from the log"
    tolerated = 0.0
    if one.kind is Kind.TEMPLATE:
        tolerated = max(TEMPLATE_OUTSIDERS * (one.members + one.outsiders), float(one.members >= MANY_SHOWING))
    return "shown by accounts outside the campaigns" if one.outsiders > tolerated else ""


def _value(one: Shown, terms: Terms) -> tuple[str | None, str]:
    if one.kind is Kind.TEMPLATE:
        return (one.value.text(), "") if isinstance(one.value, Fingerprint) else (None, "is no fingerprint")
    if not isinstance(one.value, str):
        return None, "has not the form of its kind"
    if one.kind is Kind.PAYMENT:
        key = terms.shared_key
        digest = hmac.new(key.secret, one.value.encode(), hashlib.sha256).hexdigest() if key else None
        return digest, "leaves only under a key shared with the partner" if digest is None else ""
    value = well_formed(one.kind, one.value)
    return value, "has not the form of its kind" if value is None else ""


def _capabilities(shares: tuple[Share, ...], gate: _Gate) -> tuple[tuple[str, int], ...]:
    known = [share for share in shares if share.name in CAPABILITIES]
    if len(known) < len(shares):
        gate.refuse("capabilities", "not in the taxonomy", len(shares) - len(known))
    return tuple((share.name, round(share.share * 10) * 10) for share in known if share.share >= 0.05)


def _axes(case: Case) -> tuple[tuple[str, float], ...]:
    one = case.campaign
    bits = (one.coordination_bits, one.extraction_bits, one.deception_bits)
    return tuple((axis.value, float(round(own))) for axis, own in zip(Axis, bits, strict=True))


def _detectors(evidence: tuple[Evidence, ...], gate: _Gate) -> tuple[Detector, ...]:
    """Signals by name with whole bits; their because has counts and values, and stays."""
    evidence = tuple(term for term in evidence if term.family is not Family.REPORTED)  # no echo of what others said
    known = [term for term in evidence if term.signal in SIGNALS]
    if len(known) < len(evidence):
        gate.refuse("evidence", "a signal of this deployment alone", len(evidence) - len(known))
    found = {Detector(one.signal, one.axis.value, one.family.value, float(round(one.bits))) for one in known}
    return tuple(sorted(found, key=lambda one: (-one.bits, one.signal)))


def _models(shares: tuple[Share, ...], terms: Terms, gate: _Gate) -> tuple[str, ...]:
    unnamed = sum(share.name not in terms.models for share in shares)
    if unnamed:
        gate.refuse("models", "has no public name in the terms", unnamed)
    return tuple(dict.fromkeys(terms.models[share.name] for share in shares if share.name in terms.models))


def _accounts(case: Case, gate: _Gate, names: Pseudonyms) -> tuple[str, ...]:
    members = case.campaign.members
    if not members or not gate.opens("accounts", len(members)):
        return ()
    return tuple(sorted(names.of("account", member) for member in members))
