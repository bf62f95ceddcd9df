"""What a detector made of planted traffic: found, missed, split, merged, wrongly accused.

An account is accused when its verdict is `distillation`. An account of a mixed pool that harvests is guilty; the
exchanges of innocent customers in it are not, and flagging them costs exchange precision. Accounts of a pool that never
harvested are neither guilty nor innocent and count on no side.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stillwatch.lab.truth import ACCUSED, Found, Truth, read_found, read_truth

MERGED_FROM = 0.3  # a detected campaign that holds this part of another planted one has merged them


@dataclass(frozen=True, slots=True)
class CampaignScore:
    """One planted campaign, and the detected campaigns whose accused accounts are mostly its own."""

    name: str
    accounts: int
    exchanges: int
    found: bool
    pieces: int  # detected campaigns that match it; above one it was split
    merged_with: tuple[str, ...]
    account_precision: float
    account_recall: float
    exchange_precision: float
    exchange_recall: float


@dataclass(frozen=True, slots=True)
class LookalikeScore:
    """One class of innocents, or all the ordinary ones, and how many of its accounts reached each verdict."""

    name: str
    accounts: int
    watch: int
    suspect: int
    distillation: int


@dataclass(frozen=True, slots=True)
class Score:
    """A run against the truth."""

    campaigns: tuple[CampaignScore, ...]
    lookalikes: tuple[LookalikeScore, ...]
    account_precision: float
    account_recall: float
    exchange_precision: float
    exchange_recall: float
    innocents: int
    innocents_accused: int
    accused_per_100k: float
    false_campaigns: int  # detected as distillation, mostly innocent accounts
    b_cubed_precision: float
    b_cubed_recall: float
    b_cubed_f: float

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self)


def score(run_dir: Path, labels_dir: Path) -> Score:
    """Compare the output folder of a detection with the labels of its traffic."""
    return score_found(read_truth(labels_dir), read_found(run_dir))


def score_found(truth: Truth, found: Found) -> Score:
    """Compare what was concluded with what was planted."""
    members: dict[str, list[str]] = {}
    for account, group in found.group.items():
        if group is not None:
            members.setdefault(group, []).append(account)
    owner = {group: mostly(truth, accounts) for group, accounts in members.items()}
    named = owner | _owner_by_exchanges(truth, found, owner)
    names = sorted({name for name in truth.campaign.values() if name} | set(truth.exchange.values()))
    innocents = [account for account in truth.campaign if truth.innocent(account)]
    wrongly = sum(account in found.group for account in innocents)
    guilty = [account for account, name in truth.campaign.items() if name]
    caught = sum(account in found.group for account in guilty)
    right = sum(exchange in truth.exchange for exchange in found.flagged)
    bcp, bcr = b_cubed({a: truth.campaign.get(a) for a in {*guilty, *found.group}}, found.group)
    return Score(
        tuple(_campaign(name, truth, found, members, named) for name in names),
        _lookalikes(truth, found),
        _ratio(caught, caught + wrongly),
        _ratio(caught, len(guilty)),
        _ratio(right, len(found.flagged)),
        _ratio(right, len(truth.exchange)),
        len(innocents),
        wrongly,
        1e5 * wrongly / max(1, len(innocents)),
        sum(name is None for name in owner.values()),
        bcp,
        bcr,
        2 * bcp * bcr / (bcp + bcr) if bcp + bcr else 0.0,
    )


def b_cubed(truth: dict[str, str | None], found: dict[str, str | None]) -> tuple[float, float]:
    """Precision and recall of a clustering, item by item; an item without a class or a cluster stands alone."""
    kind = {item: name or f"\0{item}" for item, name in truth.items()}
    cluster = {item: found.get(item) or f"\0{item}" for item in truth}
    together = Counter((kind[item], cluster[item]) for item in truth)
    in_kind, in_cluster = Counter(kind.values()), Counter(cluster.values())
    precision = sum(together[kind[i], cluster[i]] / in_cluster[cluster[i]] for i in truth)
    recall = sum(together[kind[i], cluster[i]] / in_kind[kind[i]] for i in truth)
    return _ratio(precision, len(truth)), _ratio(recall, len(truth))


def _campaign(
    name: str, truth: Truth, found: Found, members: dict[str, list[str]], owner: dict[str, str | None]
) -> CampaignScore:
    own = {account for account, campaign in truth.campaign.items() if campaign == name}
    sent = {exchange for exchange, campaign in truth.exchange.items() if campaign == name}
    pieces = {group for group, of in owner.items() if of == name}
    matched = {account for group in pieces for account in members.get(group, ())}
    flagged = {exchange for exchange, group in found.flagged.items() if group in pieces}
    total = Counter(campaign for campaign in truth.campaign.values() if campaign)
    inside = Counter(truth.campaign.get(account) for account in matched)
    merged = sorted(other for other in total if other != name and inside[other] >= MERGED_FROM * total[other])
    return CampaignScore(
        name,
        len(own),
        len(sent),
        bool(pieces),
        len(pieces),
        tuple(merged),
        _ratio(len(matched & own), len(matched)),
        _ratio(len(matched & own), len(own)),
        _ratio(len(flagged & sent), len(flagged)),
        _ratio(len(flagged & sent), len(sent)),
    )


def _owner_by_exchanges(truth: Truth, found: Found, owner: dict[str, str | None]) -> dict[str, str | None]:
    """The planted campaign of detected ones that no account is listed under, because a graver one has them all."""
    sent: dict[str, Counter[str | None]] = {}
    for exchange, group in found.flagged.items():
        if group not in owner:
            sent.setdefault(group, Counter())[truth.exchange.get(exchange)] += 1
    return {group: min(counts, key=lambda name: (-counts[name], name or "")) for group, counts in sent.items()}


def _lookalikes(truth: Truth, found: Found) -> tuple[LookalikeScore, ...]:
    counts: dict[str, Counter[str]] = {}
    for account, name in truth.lookalike.items():
        if truth.innocent(account):
            seen = counts.setdefault(name or "ordinary", Counter())
            seen["accounts"] += 1
            seen[found.verdict.get(account, "clear")] += 1
    kinds = ("accounts", "watch", "suspect", ACCUSED)
    return tuple(LookalikeScore(name, *(seen[kind] for kind in kinds)) for name, seen in sorted(counts.items()))


def mostly(truth: Truth, accounts: Iterable[str]) -> str | None:
    """The planted campaign of most of these accounts; None where most are innocent."""
    (name, _), *_ = sorted(Counter(truth.campaign.get(a) for a in accounts).items(), key=lambda x: (-x[1], x[0] or ""))
    return name


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
