"""Failover: a campaign's first accounts are found and stopped, a second pool takes over within the hour.

What the second pool still gets is leaked. The same requests are sent by every innocent of the log, look-alikes above
all: what any of them is refused is harm. Decisions are those of the gateway's own decider and watcher, in this process.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stillwatch.actions.attributes import Attributes
from stillwatch.actions.decision import ALLOWED, ActionKind, Decision, Effect
from stillwatch.lab.compose import Request
from stillwatch.lab.evaluate.bench import Bench, describe
from stillwatch.lab.evaluate.live import Gateway, Sent
from stillwatch.lab.evaluate.part import Bar, Data, Part, percent, table
from stillwatch.lab.evaluate.plan import Plan
from stillwatch.lab.evaluate.tables import HOUR, Tables, load
from stillwatch.lab.truth import Truth, read_truth

LEAK = 0.01
CAMPAIGN = "G-failover"
AFTER = (2, 6, 12, 24, 48, 96, 192)  # hours after the ban at which the watcher concludes again
VERY_NEW = 14.0  # days
VERIFY = Decision(
    ActionKind.REQUIRE_VERIFICATION, Effect(refused=True, status=403), Effect(refused=True, status=403), "continues"
)


def enforcing_rule(asked: Attributes) -> Decision:
    """Ask for verification whoever goes on with a known campaign: its members, and who takes over from them.

    Who takes over sends a template that is the campaign's alone, and shows one more of its families or is very new.
    Customers with a name, a licence or a declared use are left alone, as is whoever verified itself when asked to.
    """
    if asked.licensed or asked.declared_use or asked.verification == "business" or asked.verified_since >= 0:
        return ALLOWED
    if asked.verdict == "watch" or not (asked.verdict == "distillation" or asked.campaign_approved):
        return ALLOWED
    new = 0 <= asked.account_age_days < VERY_NEW
    successor = asked.match_content and (asked.match_families > 1 or asked.match_artefact or new)
    return VERIFY if asked.member or successor else ALLOWED


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of one log."""

    ban: int  # µs
    second: frozenset[str]  # accounts of the second pool
    sent: Sequence[Sent]
    truth: Truth

    def counts(self) -> dict[str, Any]:
        """Leaks, first requests, and innocents who were refused, by class."""
        late = [one for one in self.sent if one.ts >= self.ban]
        pool = [one for one in late if one.account_id in self.second]
        first: dict[str, Sent] = {}
        for one in pool:
            first.setdefault(one.account_id, one)
        innocent = [one for one in late if self.truth.innocent(one.account_id)]
        harmed = [one for one in innocent if one.refused]
        return {
            "second": {
                "accounts": len(first),
                "exchanges": len(pool),
                "leaked": sum(one.served for one in pool),
                "decided_first": sum(one.refused for one in first.values()),
                "matched_first": sum(one.attributes.match_content for one in first.values()),
            },
            "innocent": {
                "accounts": len({one.account_id for one in innocent}),
                "exchanges": len(innocent),
                "denied": len(harmed),
                "matched_twice": sum(one.attributes.match_families > 1 for one in innocent if not _tied(one)),
                "tied": sum(_tied(one) for one in innocent),  # the run before took them for members: its error
            },
            "classes": self._by_class(innocent),
            "campaigns": self._by_campaign(late),
        }

    def _by_class(self, innocent: Sequence[Sent]) -> dict[str, dict[str, int]]:
        named = [(self.truth.lookalike.get(one.account_id) or "ordinary", one) for one in innocent]
        sent, denied = Counter(name for name, _ in named), Counter(name for name, one in named if one.refused)
        matched = Counter(name for name, one in named if one.attributes.match_families)
        return {name: {"sent": sent[name], "matched": matched[name], "denied": denied[name]} for name in sorted(sent)}

    def _by_campaign(self, late: Sequence[Sent]) -> dict[str, dict[str, int]]:
        named = [(name, one) for one in late if (name := self.truth.exchange.get(one.exchange_id)) is not None]
        sent, refused = Counter(name for name, _ in named), Counter(name for name, one in named if one.refused)
        return {name: {"sent": sent[name], "refused": refused[name]} for name in sorted(sent)}


def _tied(one: Sent) -> bool:
    return one.attributes.member


def replay(tables: Tables, truth: Truth, folder: Path, hours: Sequence[int] = AFTER) -> Replayed:
    """Send a log through the gateway: watched up to the ban, enforcing from then on."""
    ban, second = pools(tables, truth)
    gateway = Gateway(folder, tables, enforcing_rule, enforcing=lambda moment: moment >= ban)
    ends = [ban, *(ban + hour * HOUR for hour in hours if ban + hour * HOUR < tables.end), tables.end]
    return Replayed(ban, second, gateway.run(ends), truth)


def pools(tables: Tables, truth: Truth) -> tuple[int, frozenset[str]]:
    """When the first pool was suspended, and who was not."""
    assert tables.accounts is not None
    accounts = [name for name, campaign in truth.campaign.items() if campaign == CAMPAIGN]
    rows = {row["account_id"]: row["suspended_at"] for row in tables.accounts.to_pylist()}
    banned = {name: rows[name] for name in accounts if rows[name] is not None}
    start = min(banned.values())
    return int(start.timestamp() * 1_000_000), frozenset(accounts) - banned.keys()


def request(plan: Plan) -> Request:
    """A log with every default scenario, the failover among them."""
    return plan.request(plan.small, plan.seeds[0])


def measure(bench: Bench, plan: Plan) -> dict[str, Any]:
    """Replay one log."""
    asked = request(plan)
    folder = bench.log(asked)
    bench.say(f"sending {describe(asked)} through a gateway")
    with tempfile.TemporaryDirectory(prefix="failover-", dir=bench.folder) as place:
        return replay(load(folder), read_truth(folder / "labels"), Path(place)).counts()


def tell(data: Data) -> str:
    """What the second pool got, and what innocents did not."""
    second, innocent = data["second"], data["innocent"]
    rows = [
        [name, *(f"{row[kind]:,}" for kind in ("sent", "matched", "denied"))] for name, row in _worst(data["classes"])
    ]
    others = [[name, f"{row['sent']:,}", f"{row['refused']:,}"] for name, row in data["campaigns"].items()]
    return (
        f"The watcher concludes once at the ban, then {', '.join(map(str, AFTER))} hours after it; the policy is "
        f"carried out from the ban on. Of {second['accounts']:,} accounts of the second pool "
        f"{second['decided_first']:,} are stopped at their first request ({second['matched_first']:,} by a template "
        f"that is the campaign's alone, at the least). {second['leaked']:,} of their {second['exchanges']:,} exchanges "
        f"leak. {innocent['accounts']:,} innocent accounts send {innocent['exchanges']:,} requests, of which "
        f"{innocent['denied']:,} are refused. {innocent['matched_twice']:,} match two families of a campaign that "
        f"they are not tied to; {innocent['tied']:,} come from accounts that the last run had wrongly tied to one.\n\n"
        + table(("innocents", "requests", "matched by any family", "refused"), rows)
        + "\n"
        + table(("campaign", "exchanges after the ban", "refused"), others)
    )


def _worst(classes: Mapping[str, Mapping[str, int]]) -> list[tuple[str, Mapping[str, int]]]:
    return sorted(classes.items(), key=lambda item: (-item[1]["denied"], -item[1]["matched"], item[0]))


def bars(data: Data) -> Sequence[Bar]:
    """At most one in a hundred of the second pool's exchanges; none of an innocent's."""
    second, denied = data["second"], data["innocent"]["denied"]
    leaked = second["leaked"] / max(second["exchanges"], 1)
    return (
        Bar("failover leaks ≤ 1 % of the second pool's exchanges", percent(leaked), leaked <= LEAK),
        Bar("no innocent's request is refused by the enforcing policy", f"{denied:,} refused", denied == 0),
    )


PART = Part(
    "failover",
    "Failover",
    measure,
    tell,
    lambda plan: f"{plan.small:,} exchanges through a gateway's decider",
    bars,
    seeds=1,
)
