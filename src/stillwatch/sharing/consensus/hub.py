"""A hub of many partners: signed statements in, an opinion on each indicator out, disagreement kept.

Statements never change and prove themselves, and the state is a fold over them that no order of arrival alters. So they
are kept as what they are, a file of lines that is only appended to: a copy of the file is the hub. A database would add
a schema to migrate and would save nothing, for the hub's whole state fits in memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stillwatch.sharing.consensus.answers import Answer, Stance
from stillwatch.sharing.consensus.arithmetic import Confidence, add_up
from stillwatch.sharing.consensus.contributions import (
    Act,
    Contribution,
    ContributionRefused,
    Statement,
    read_contribution,
    verify,
)
from stillwatch.sharing.consensus.lineage import sources
from stillwatch.sharing.consensus.rules import Rules
from stillwatch.sharing.private.allowed import AllowList
from stillwatch.sharing.private.indicators import KINDS, Indicator

DAY = 86_400.0
SKEW = 300.0  # seconds that a partner's clock may be ahead
PRIOR = 0.05  # of an indicator that nobody has spoken about


@dataclass(frozen=True, slots=True)
class Member:
    """One organisation of the hub: its public key (hex), and the Admiralty letter that the hub gives it."""

    public_key: str
    reliability: str = "F"


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the hub holds of one indicator: how sure, how many sightings by whom, and who says otherwise."""

    indicator: Indicator
    confidence: Confidence
    sightings: int
    organisations: tuple[str, ...]
    first_seen: float | None
    last_seen: float | None
    allowed: bool

    @property
    def disputed(self) -> bool:
        """Whether a member says that it is innocent."""
        return self.confidence.disputed


@dataclass(slots=True)
class Hub:
    """All statements by id, in the order in which they came; with a path they are on the disk before they count."""

    members: Mapping[str, Member]
    path: Path | None = None
    allow: AllowList = field(default_factory=AllowList)
    rules: Rules = field(default_factory=Rules)
    held: dict[str, Contribution] = field(default_factory=dict)
    _about: dict[Indicator, list[str]] = field(default_factory=dict, repr=False)

    def add(self, contribution: Contribution, now: float) -> bool:
        """Take a statement; False where it is here already. Raises ContributionRefused with the reason."""
        verify(contribution, {name: member.public_key for name, member in self.members.items()})
        if contribution.id in self.held:
            return False
        self._check(contribution.statement, now)
        self._write(contribution)
        self._keep(contribution)
        return True

    def opinion(self, indicator: Indicator, now: float) -> Opinion:
        """Return what is held of one indicator. What is allowed is nothing's indicator, whoever says so."""
        said = [one.statement for one in self._standing(indicator, now)]
        allowed = self.allow.covers(indicator)
        answers = [] if allowed else self._answers(said, now)
        seen = [one for one in said if one.act is Act.SIGHTING]
        return Opinion(
            indicator,
            add_up(PRIOR, answers, self.rules),
            sum(one.count for one in seen),
            tuple(sorted({one.organisation for one in seen})),
            min((one.made for one in seen), default=None),
            max((one.made for one in seen), default=None),
            allowed,
        )

    def page(
        self, organisation: str, after: int, limit: int, now: float, reciprocal_days: float = 0.0
    ) -> list[Contribution]:
        """Return statements from a place on. With reciprocity, who has sighted nothing lately sees its own alone."""
        rows = list(self.held.values())[after : after + limit]
        if reciprocal_days and not self.gives(organisation, now, reciprocal_days):
            return [one for one in rows if one.statement.organisation == organisation]
        return rows

    def gives(self, organisation: str, now: float, days: float) -> bool:
        """Whether an organisation has contributed a sighting of its own within so many days."""
        own = (one.statement for one in self.held.values() if one.statement.organisation == organisation)
        return any(one.act is Act.SIGHTING and now - one.made <= days * DAY for one in own)

    def _standing(self, indicator: Indicator, now: float) -> list[Contribution]:
        """Statements that are neither expired nor taken back."""
        named = [self.held[name] for name in self._about.get(indicator, ())]
        withdrawn = {one.statement.about for one in named if one.statement.act is Act.WITHDRAWAL}
        return [
            one
            for one in named
            if one.id not in withdrawn and one.statement.act is not Act.WITHDRAWAL and one.statement.expires > now
        ]

    def _answers(self, said: Iterable[Statement], now: float) -> list[Answer]:
        origin_of = self.lineage()
        answers = []
        for one in said:
            family = KINDS[one.kind].family
            origin = self.held[one.origin].statement.organisation if one.origin else one.organisation
            answers.append(
                Answer(
                    one.organisation,
                    family,
                    Stance.DISPUTES if one.act is Act.DISPUTE else Stance.CONFIRMS,
                    max(one.count, self.rules.families[family].least),  # one indicator: its accounts are the matches
                    self.members[one.organisation].reliability,
                    (now - one.made) / DAY,
                    origin_of.get(origin, origin),
                )
            )
        return answers

    def lineage(self) -> dict[str, str]:
        """Return whose observations each member's statements are."""
        own: dict[str, set[Indicator]] = {}
        first: dict[str, float] = {}
        for one in self.held.values():
            said = one.statement
            if said.act is Act.SIGHTING:
                own.setdefault(said.organisation, set()).add(said.indicator)
                first[said.organisation] = min(first.get(said.organisation, said.made), said.made)
        return sources(own, first)

    def _check(self, said: Statement, now: float) -> None:
        longest = self.rules.families[KINDS[said.kind].family].expires
        if said.made > now + SKEW:
            raise ContributionRefused("made_at lies in the future; set the clock")
        if said.expires <= max(said.made, now):
            raise ContributionRefused("valid_until is over")
        if said.expires - said.made > longest * DAY:
            raise ContributionRefused(f"valid_until is more than {longest:.0f} days away; say it again when it is seen")
        if (said.act is Act.PASSED_ON) != bool(said.origin):
            raise ContributionRefused("what is passed on names its origin, and nothing else does")
        if said.origin:
            self._check_origin(said)
        if (said.act is Act.WITHDRAWAL) != bool(said.about):
            raise ContributionRefused("a withdrawal names what it is about, and nothing else does")
        if said.about:
            before = self.held.get(said.about)
            if before is None or before.statement.organisation != said.organisation:
                raise ContributionRefused("only an own statement that is here can be taken back")
            if before.statement.indicator != said.indicator:
                raise ContributionRefused("a withdrawal has the indicator of what it takes back")

    def _check_origin(self, said: Statement) -> None:
        origin = self.held.get(said.origin)
        if origin is None or origin.statement.indicator != said.indicator:
            raise ContributionRefused("its origin is no statement about this indicator here")
        if origin.statement.act is not Act.SIGHTING:
            raise ContributionRefused("its origin is no sighting; name whoever saw it")
        if origin.statement.organisation == said.organisation:
            raise ContributionRefused("its origin is an own statement; one sighting is said once")

    def _keep(self, contribution: Contribution) -> None:
        self.held[contribution.id] = contribution
        self._about.setdefault(contribution.statement.indicator, []).append(contribution.id)

    def _write(self, contribution: Contribution) -> None:
        if self.path is None:
            return
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, (contribution.to_line() + "\n").encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def open_hub(members: Mapping[str, Member], path: Path, allow: AllowList | None = None) -> Hub:
    """Return the hub that a file holds. A line that a kill left half written is cut off; each signature is checked.

    Statements of organisations that have left stay in the file and count no more.
    """
    hub = Hub(members, path, allow or AllowList())
    if not path.exists():
        return hub
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        os.truncate(path, whole)
    keys = {name: member.public_key for name, member in members.items()}
    for line in data[:whole].splitlines():
        contribution = read_contribution(line)
        if contribution.statement.organisation in keys:
            verify(contribution, keys)
            hub._keep(contribution)
    return hub
