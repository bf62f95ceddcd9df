"""The latest verdicts about campaigns, as the watcher publishes them; the ledger hears of what changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from stillwatch.model import Campaign, VerdictKind
from stillwatch.store.database import Store, Writing, reading, writing
from stillwatch.store.ledger import entries
from stillwatch.store.ledger.canonical import decimal
from stillwatch.store.log import check_id
from stillwatch.store.tables import CAMPAIGNS, MEMBERS, STATE

MANY = 500
_NAMES = (
    "campaign_id",
    "verdict",
    "p",
    "coordination_bits",
    "extraction_bits",
    "deception_bits",
    "exchanges",
)


@dataclass(frozen=True, slots=True)
class CampaignVerdict:
    """What detection concluded of one campaign."""

    campaign_id: str
    verdict: VerdictKind
    p: float
    coordination_bits: float
    extraction_bits: float
    deception_bits: float
    exchanges: int
    members: frozenset[str] = field(default=frozenset(), repr=False)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All verdicts that hold, and the database's version that they were read at."""

    version: int
    campaigns: tuple[CampaignVerdict, ...]


def as_verdict(campaign: Campaign) -> CampaignVerdict:
    """Return what is published of a campaign that a run found."""
    return _verdict({name: getattr(campaign, name) for name in _NAMES}, campaign.members)


def record_verdicts(store: Store, campaigns: Iterable[CampaignVerdict], at: int, by: str) -> list[int]:
    """Replace the verdicts that hold by these, and return the indexes of what the ledger heard.

    An entry is written where a verdict or the members changed, and `clear` for a campaign that is no longer found;
    a probability that moves is not one. All of it is visible at once, or none.
    """
    new = {check_id(each.campaign_id): each for each in campaigns}
    with writing(store) as act:
        old = {each.campaign_id: each for each in _campaigns(act.connection)}
        heard = [_conclude(act, old.get(name), new[name], at, by) for name in sorted(new)]
        heard += [_withdraw(act, old[name], at, by) for name in sorted(old.keys() - new.keys())]
    return [index for index in heard if index is not None]


def read_verdicts(store: Store) -> Snapshot:
    """Return all verdicts that hold."""
    with reading(store) as connection:
        version = int(connection.execute(select(STATE.c.version)).scalar_one())
        return Snapshot(version, tuple(_campaigns(connection)))


def _conclude(act: Writing, old: CampaignVerdict | None, new: CampaignVerdict, at: int, by: str) -> int | None:
    if old == new:
        return None
    act.touch()
    row = {
        **{name: getattr(new, name) for name in _NAMES},
        "verdict": new.verdict.value,
        "accounts": len(new.members),
    }
    index = None
    if old is None or (old.verdict, old.members) != (new.verdict, new.members):
        index = _tell(act, old, new, at, by)
        row |= {"concluded_at": at, "ledger_index": index}
    if old is None:
        act.connection.execute(insert(CAMPAIGNS).values(row))
    else:
        act.connection.execute(update(CAMPAIGNS).where(CAMPAIGNS.c.campaign_id == new.campaign_id).values(row))
    _change_members(act.connection, new.campaign_id, old.members if old else frozenset(), new.members)
    return index


def _withdraw(act: Writing, old: CampaignVerdict, at: int, by: str) -> int:
    gone = CampaignVerdict(old.campaign_id, VerdictKind.CLEAR, 0.0, 0.0, 0.0, 0.0, 0)
    index = _tell(act, old, gone, at, by)
    act.connection.execute(delete(MEMBERS).where(MEMBERS.c.campaign_id == old.campaign_id))
    act.connection.execute(delete(CAMPAIGNS).where(CAMPAIGNS.c.campaign_id == old.campaign_id))
    return index


def _tell(act: Writing, old: CampaignVerdict | None, new: CampaignVerdict, at: int, by: str) -> int:
    were = old.members if old else frozenset()
    content = entries.Verdict(
        verdict=new.verdict.value,
        p=decimal(new.p),
        coordination_bits=decimal(new.coordination_bits),
        extraction_bits=decimal(new.extraction_bits),
        deception_bits=decimal(new.deception_bits),
        accounts=len(new.members),
        exchanges=new.exchanges,
        joined=tuple(sorted(new.members - were)),
        left=tuple(sorted(were - new.members)),
    )
    return act.append(entries.Entry(at, by, "campaign", new.campaign_id, content))


def _change_members(connection: Connection, campaign_id: str, old: Collection[str], new: Collection[str]) -> None:
    for some in _pieces(set(old) - set(new)):
        gone = delete(MEMBERS).where(MEMBERS.c.campaign_id == campaign_id, MEMBERS.c.account_id.in_(some))
        connection.execute(gone)
    for some in _pieces(set(new) - set(old)):
        rows = [{"campaign_id": campaign_id, "account_id": check_id(each)} for each in some]
        connection.execute(insert(MEMBERS).values(rows))  # one statement: a pool may have tens of thousands


def _campaigns(connection: Connection) -> list[CampaignVerdict]:
    members = defaultdict(set)
    for campaign_id, account_id in connection.execute(select(MEMBERS.c.campaign_id, MEMBERS.c.account_id)):
        members[campaign_id].add(account_id)
    columns = [CAMPAIGNS.c[name] for name in _NAMES]
    rows = connection.execute(select(*columns).order_by(CAMPAIGNS.c.campaign_id)).mappings()
    return [_verdict(dict(row), members[row["campaign_id"]]) for row in rows]


def _verdict(told: dict[str, Any], members: Iterable[str]) -> CampaignVerdict:
    return CampaignVerdict(**{**told, "verdict": VerdictKind(told["verdict"]), "members": frozenset(members)})


def _pieces(names: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(sorted(names))
    while some := list(islice(rest, MANY)):
        yield some
