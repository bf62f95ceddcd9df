"""Failover again, over HTTP: every request of a log goes through a gateway that runs, under the policy that ships.

Decider, policy, accounts, exchange log, compactor, watcher and index are the gateway's own, and what the watcher reads
is what the gateway wrote. The lab's are the clock, which a header sets to the log's time, and the upstream.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.lab.evaluate.bench import Bench, describe
from stillwatch.lab.evaluate.failover import AFTER, LEAK, pools, request
from stillwatch.lab.evaluate.part import Bar, Data, Part, percent, table
from stillwatch.lab.evaluate.plan import Plan
from stillwatch.lab.evaluate.tables import HOUR, Tables, load
from stillwatch.lab.truth import Truth, read_truth

if TYPE_CHECKING:
    from stillwatch.lab.gateway.sending import Came


@dataclass(frozen=True, slots=True)
class Relayed:
    """What came of one log."""

    ban: int  # µs
    second: frozenset[str]  # accounts of the second pool
    came: Sequence[Came]
    recorded: Sequence[str]  # names of exchanges, as often as they are in the exchange log
    truth: Truth

    def counts(self) -> dict[str, Any]:
        """Leaks, first requests, refused innocents, and whether everything was kept once."""
        pool = sorted((one for one in self.came if one.account_id in self.second), key=lambda one: one.ts)
        late = [one for one in pool if one.ts >= self.ban]
        first: dict[str, Came] = {}
        for one in late:
            first.setdefault(one.account_id, one)
        innocent = [one for one in self.came if self.truth.innocent(one.account_id)]
        kept = Counter(self.recorded)
        return {
            "second": {
                "accounts": len(first),
                "exchanges": len(late),
                "leaked": sum(one.served for one in late),
                "decided_first": sum(one.refused for one in first.values()),
            },
            "innocent": {
                "accounts": len({one.account_id for one in innocent}),
                "exchanges": len(innocent),
                "denied": sum(one.refused for one in innocent),
            },
            "classes": self._by_class(innocent),
            "reasons": dict(sorted(Counter(one.reason for one in self.came if one.refused).items())),
            "kept": {
                "acknowledged": len(self.came),
                "once": sum(kept[one.exchange_id] == 1 for one in self.came),
                "more": sum(count > 1 for count in kept.values()),
            },
        }

    def _by_class(self, innocent: Sequence[Came]) -> dict[str, dict[str, int]]:
        named = [(self.truth.lookalike.get(one.account_id) or "ordinary", one) for one in innocent]
        sent, denied = Counter(name for name, _ in named), Counter(name for name, one in named if one.refused)
        return {name: {"sent": sent[name], "denied": denied[name]} for name in sorted(sent)}


def relay(folder: Path, log: Path, hours: Sequence[int] = AFTER) -> Relayed:
    """Send a log through a gateway in `folder`; its watcher concludes at the ban, and so many hours after it."""
    from stillwatch.lab.gateway.running import replaying  # here: others need nothing of the gateway

    tables, truth = load(log), read_truth(log / "labels")
    ban, second = pools(tables, truth)
    ends = [ban, *(end for hour in hours if (end := ban + hour * HOUR) < tables.end), tables.end]
    with replaying(folder, log, tables) as gateway:
        for end, rows in _parts(tables, ends):
            gateway.send(rows)
            if end < tables.end:
                gateway.conclude(end)
        return Relayed(ban, second, gateway.came, gateway.recorded(), truth)


def _parts(tables: Tables, ends: Sequence[int]) -> Iterator[tuple[int, pa.Table]]:
    rows, since = tables.exchanges.sort_by("ts"), 0
    ts = pc.cast(rows["ts"], pa.int64())
    for end in ends:
        part = rows.filter(pc.and_(pc.greater_equal(ts, since), pc.less(ts, end)))
        if part.num_rows:
            yield end, part
        since = end


def measure(bench: Bench, plan: Plan) -> dict[str, Any]:
    """Relay one log."""
    asked = request(plan)
    log = bench.log(asked)
    bench.say(f"relaying {describe(asked)} over HTTP")
    with tempfile.TemporaryDirectory(prefix="gateway-", dir=bench.folder) as place:
        return relay(Path(place), log).counts()


def tell(data: Data) -> str:
    """What the second pool got, what innocents did not, and what was kept."""
    second, innocent, kept = data["second"], data["innocent"], data["kept"]
    rows = [[name, *(f"{row[kind]:,}" for kind in ("sent", "denied"))] for name, row in _worst(data["classes"])]
    reasons = ", ".join(f"{count:,} `{name}`" for name, count in data["reasons"].items()) or "none"
    return (
        f"Every request of the log is an HTTP request to a gateway in a process of its own, under the shipped "
        f"enforcing policy. Its clock is the log's: a header that only the lab's program reads sets it. The watcher "
        f"folds what the gateway itself recorded, once at the ban, then {', '.join(map(str, AFTER))} hours after it. "
        f"Of {second['accounts']:,} accounts of the second pool {second['decided_first']:,} are stopped at their first "
        f"request; {second['leaked']:,} of their {second['exchanges']:,} exchanges leak. {innocent['accounts']:,} "
        f"innocent accounts send {innocent['exchanges']:,} requests, of which {innocent['denied']:,} are denied. "
        f"Refusals by reason: {reasons}. Of {kept['acknowledged']:,} answers {kept['once']:,} are in the exchange log "
        f"once.\n\n" + table(("innocents", "requests", "denied"), rows)
    )


def _worst(classes: Mapping[str, Mapping[str, int]]) -> list[tuple[str, Mapping[str, int]]]:
    return sorted(classes.items(), key=lambda item: (-item[1]["denied"], item[0]))


def bars(data: Data) -> Sequence[Bar]:
    """Leaks, first requests, innocents, and the exchange log."""
    second, denied, kept = data["second"], data["innocent"]["denied"], data["kept"]
    leaked = second["leaked"] / max(second["exchanges"], 1)
    first = second["decided_first"] / max(second["accounts"], 1)
    return (
        Bar("the running gateway leaks ≤ 1 % of the second pool's exchanges", percent(leaked), leaked <= LEAK),
        Bar("a new account of a known campaign is decided on its first request", percent(first), first >= 1 - LEAK),
        Bar("no innocent's request is denied under the shipped enforcing policy", f"{denied:,} denied", denied == 0),
        Bar(
            "every answered exchange is in the exchange log once",
            f"{kept['once']:,} of {kept['acknowledged']:,}",
            kept["once"] == kept["acknowledged"] and not kept["more"],
        ),
    )


PART = Part(
    "gateway",
    "Failover through the running gateway",
    measure,
    tell,
    lambda plan: f"{plan.small:,} exchanges over HTTP",
    bars,
    seeds=1,
)
