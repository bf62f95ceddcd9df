"""From an arriving request to a decision: sketch, match, facts and volumes become attributes, and a policy speaks.

Nothing here waits: the index is swapped by another thread, facts come from a snapshot. Nothing here raises: a failure
inside is counted, and answered as configured.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from stillwatch.actions.attributes import Attributes
from stillwatch.actions.decision import ALLOWED, Decision
from stillwatch.apps.gateway.apis.handles import OTHER_ACCOUNT
from stillwatch.apps.gateway.live.facts import AccountFacts, Facts, as_told, days_since, nothing_known
from stillwatch.apps.gateway.live.index import Index, Match, Member
from stillwatch.apps.gateway.live.publishing import Follower
from stillwatch.apps.gateway.live.rolling import Rolling, SincePublished
from stillwatch.apps.gateway.live.values import (
    ACCOUNT,
    ARTEFACT,
    CONTENT,
    FUNDING,
    INFRASTRUCTURE,
    Namer,
    shown_by_account,
    shown_by_request,
)
from stillwatch.apps.gateway.seams import Arrival, Outcome
from stillwatch.sketch.one import RequestSketch

Policy = Callable[[Attributes], Decision]
Settle = Callable[[Attributes, Decision, Outcome], None]
MOST_OPEN = 50_000  # decided and not yet settled: past it the oldest are forgotten, as those that never end
MOST_MINTED = 50_000  # handles minted for members since they were last published


def _unapproved(_: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Wiring:
    """What the decider asks, and what it answers when something fails. All of it must answer at once."""

    policy: Policy
    facts: Facts = nothing_known
    approved: Callable[[str], bool] = _unapproved  # whether a person approved acting on a campaign, by its id
    settled: Settle = lambda _attributes, _decision, _outcome: None  # budgets of the policy
    on_error: Decision = ALLOWED


@dataclass
class Errors:
    """What went wrong inside, by kind of error; the last one's words hold no text of a request."""

    count: int = 0
    kinds: dict[str, int] = field(default_factory=dict)

    def note(self, error: Exception) -> None:
        """Count a failure."""
        self.count += 1
        kind = type(error).__name__
        self.kinds[kind] = self.kinds.get(kind, 0) + 1


@dataclass(frozen=True, slots=True)
class _Open:
    attributes: Attributes
    member: str  # id of the campaign that the account is tied to


class LiveDecider:
    """A `Decider`: one for each worker, used by one thread."""

    def __init__(self, follower: Follower, wiring: Wiring, rolling: Rolling | None = None) -> None:
        self.follower, self.wiring = follower, wiring
        self.errors = Errors()
        self._rolling = Rolling() if rolling is None else rolling
        self._since, self._version = SincePublished(), 0
        self._names = Namer(follower.key)
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._minted: OrderedDict[str, str] = OrderedDict()  # handle → campaign of the member it was minted for

    def decide(self, arrival: Arrival) -> Decision:
        """Return the decision; never raises, and never waits."""
        try:
            opened = self._look(arrival)
            decision = self.wiring.policy(opened.attributes)
            while len(self._open) >= MOST_OPEN:
                self._open.popitem(last=False)
            self._open[arrival.exchange_id] = opened
            return decision
        except Exception as error:  # the gateway goes on, as configured
            self.errors.note(error)
            return self.wiring.on_error

    def settle(self, arrival: Arrival, decision: Decision, outcome: Outcome) -> None:
        """Take the exchange into the rolling sketches and budgets; never raises."""
        try:
            opened = self._open.pop(arrival.exchange_id, None)
            self._rolling.add(arrival.account_id, arrival.ts, outcome.output_tokens or 0)
            if opened is None:
                return
            if opened.attributes.campaign:
                self._since.add(opened.attributes.campaign, arrival.ts)
            if opened.member and outcome.artefacts_out:
                self._mint(opened.member, outcome.artefacts_out)
            self.wiring.settled(opened.attributes, decision, outcome)
        except Exception as error:
            self.errors.note(error)

    @property
    def underway(self) -> int:
        """Exchanges that were decided and are not settled."""
        return len(self._open)

    def attributes(self, arrival: Arrival) -> Attributes:
        """What a rule may ask about this request."""
        return self._look(arrival).attributes

    def _look(self, arrival: Arrival) -> _Open:
        known = self.follower.known
        if known.index.version != self._version:
            self._swap(known.index)
        sketch = known.sketcher(arrival.prompt, arrival.system_prompt)
        facts = as_told(self.wiring.facts(arrival.account_id), arrival)
        account = self._names(ACCOUNT, arrival.account_id)
        member = known.index.member(account)
        match = None if member is not None else self._match(known.index, account, arrival, sketch, facts)
        concluded = _concluded(known.index, member, match)
        attributes = Attributes(
            **_asked(arrival, sketch),
            **_registered(arrival, sketch, facts),
            **concluded | _carried(arrival, concluded),
            **self._volumes(known.index, arrival, concluded["campaign"], member, match),
            campaign_approved=bool(concluded["campaign"]) and self.wiring.approved(concluded["campaign"]),
        )
        return _Open(attributes, attributes.campaign if attributes.member else "")

    def _match(
        self, index: Index, account: int, arrival: Arrival, sketch: RequestSketch, facts: AccountFacts | None
    ) -> Match | None:
        shown = shown_by_request(sketch, arrival) + shown_by_account(facts)
        names = [self._names(kind, value) for kind, value in shown]
        match = index.match(names, account, arrival.ts)
        fresh = next((self._minted[handle] for handle in arrival.artefacts_in if handle in self._minted), None)
        if fresh is None or (match is not None and match.artefact):
            return match
        number = next((at for at, one in enumerate(index.campaigns) if one.campaign_id == fresh), None)
        if number is None:
            return match
        own = match.families if match is not None and match.number == number else 0
        return Match(number, index.campaigns[number], own | ARTEFACT)

    def _volumes(
        self, index: Index, arrival: Arrival, campaign: str, member: Member | None, match: Match | None
    ) -> dict[str, Any]:
        own = self._rolling.volumes(arrival.account_id, arrival.ts)
        told = {
            "exchanges_hour": own.exchanges_hour,
            "exchanges_day": own.exchanges_day,
            "output_tokens_day": own.output_tokens_day,
        }
        held = match if member is None else member
        if held is not None:
            published = index.exchanges_of(held.number, arrival.ts)
            told["campaign_exchanges_day"] = published + self._since.count(campaign, index.until)
        return told

    def _swap(self, index: Index) -> None:
        """Go over to a new index: what it holds is not counted, nor kept, a second time."""
        self._since.forget(index.until)
        self._version = index.version

    def _mint(self, campaign: str, handles: tuple[str, ...]) -> None:
        for handle in handles:
            while len(self._minted) >= MOST_MINTED:
                self._minted.popitem(last=False)
            self._minted[handle] = campaign


def _asked(arrival: Arrival, sketch: RequestSketch) -> dict[str, Any]:
    return {
        "model": arrival.model,
        "endpoint": arrival.endpoint,
        "channel": arrival.channel or "",
        "capability": sketch.capability_name,
        "asks_reasoning": sketch.trace,
        "grades": sketch.rubric,
        "max_tokens": -1 if arrival.max_tokens is None else arrival.max_tokens,
        "stream": arrival.stream,
        "prompt_bytes": _size(arrival.prompt or ""),
        "handle": arrival.handle or "",
        "account": arrival.account_id,
    }


def _carried(arrival: Arrival, concluded: dict[str, Any]) -> dict[str, Any]:
    """A seal that was given to another account shows by itself that it was carried over, whoever was given it."""
    return {"match_artefact": bool(concluded.get("match_artefact")) or arrival.handle == OTHER_ACCOUNT}


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def _registered(arrival: Arrival, sketch: RequestSketch, facts: AccountFacts | None) -> dict[str, Any]:
    if facts is None:
        return {}
    now = arrival.ts
    return {
        "organisation": facts.organisation,
        "plan": facts.plan,
        "verification": facts.verification,
        "programme": facts.programme,
        "account_age_days": days_since(facts.created_at, now),
        "licensed": any(each.cover(arrival.model, sketch.capability_name, now) for each in facts.licences),
        "declared_use": facts.declared_use,
        "suspended": facts.suspended_until is not None and now < facts.suspended_until,
        "verified_since": days_since(facts.verified_at, now),
    }


def _concluded(index: Index, member: Member | None, match: Match | None) -> dict[str, Any]:
    """What detection concluded about the account; else, of the campaign that its request goes on with.

    Whoever shows no more than an address or a card of a campaign is not called what the campaign is called.
    """
    held = match if member is None else member
    if held is None:
        return {"campaign": ""}
    one = index.campaigns[held.number]
    families = held.families
    told: dict[str, Any] = {"campaign": one.campaign_id, "campaign_accounts": one.accounts}
    if one.grave:
        told |= {
            "member": member is not None,
            "match_content": bool(families & CONTENT),
            "match_infrastructure": bool(families & INFRASTRUCTURE),
            "match_funding": bool(families & FUNDING),
            "match_artefact": bool(families & ARTEFACT),
            "match_families": families.bit_count(),
        }
    if member is not None or (match is not None and match.continues):
        told |= {
            "verdict": one.verdict.value,
            "p": one.p if member is None else member.p,
            "coordination_bits": one.coordination_bits,
            "extraction_bits": one.extraction_bits,
            "deception_bits": one.deception_bits,
        }
    return told
