"""A second look at the log of a run: which values its campaigns' exchanges show, and who else shows them.

A run keeps the few strongest ties, shortened for people. What may leave depends on every account that shows a value,
so they are counted here, over the whole log, in the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.apps.run import Run
from stillwatch.apps.share.gathered import Gathered
from stillwatch.apps.share.templates import gather_templates
from stillwatch.ingest.engine import Engine
from stillwatch.ingest.read import Ingested
from stillwatch.model import InputRefused, VerdictKind
from stillwatch.sharing.case import Kind, Shown

CONCLUDED = (VerdictKind.SUSPECT.value, VerdictKind.DISTILLATION.value)
SEVERAL = 2  # accounts from which a value is listed at all; whether it may leave is decided elsewhere
V4 = r"^([0-9]+\.[0-9]+\.[0-9]+)\.[0-9]+$"


@dataclass(frozen=True, slots=True)
class Sources:
    """A run and the inputs that it was made of, in one engine; `protected` are accounts that nothing may point at."""

    run: Run
    log: Ingested
    accounts: Ingested | None
    protected: frozenset[str]


def gather(engine: Engine, sources: Sources, progress: Callable[[str], None] = lambda _: None) -> Gathered:
    """Return what every campaign of the run shows. Raises InputRefused for a log that is not the run's."""
    flagged = sources.run.flagged.select(["exchange_id", "campaign_id"])
    here = engine.register("flagged", flagged)
    roles = engine.register("roles", _roles(sources))
    rows = sources.log.table
    _check(engine, rows, here, flagged.num_rows)
    found: dict[str, list[Shown]] = {name: [] for name in pc.unique(flagged["campaign_id"]).to_pylist()}
    for kind, column, values in _exchange_kinds(rows):
        if column in sources.log.present:
            progress(kind.value)
            shown = rows.select("exchange_id", "account_id", value=values)
            _add(engine, found, kind, _counted(shown, here, roles, by="exchange_id"))
    members = rows.inner_join(here, "exchange_id").select("campaign_id", "account_id").distinct()
    for kind, column in ((Kind.MAIL_DOMAIN, "email_domain"), (Kind.PAYMENT, "payment_fingerprint")):
        if sources.accounts is not None and column in sources.accounts.present:
            progress(kind.value)
            table = sources.accounts.table
            shown = table.select("account_id", value=table[column])
            _add(engine, found, kind, _counted(shown, members, roles, by="account_id"))
    if "prompt" in sources.log.present:
        progress(Kind.TEMPLATE.value)
        for name, template in gather_templates(engine, rows, here, engine.arrow(roles)):
            found[name].append(template)
    order = {kind: place for place, kind in enumerate(Kind)}
    return Gathered(
        {name: tuple(sorted(own, key=lambda one: (order[one.kind], -one.members, str(one.value))))
         for name, own in sorted(found.items())}
    )  # fmt: skip


def _roles(sources: Sources) -> pa.Table:
    """Each account of the run: whether it is in a campaign, and whether it is protected."""
    ids = sources.run.verdicts["account_id"]
    inside = pc.is_in(sources.run.verdicts["verdict"], value_set=pa.array(CONCLUDED))
    protected = pc.is_in(ids, value_set=pa.array(sorted(sources.protected), pa.string()))
    return pa.table({"account_id": ids, "inside": inside, "protected": protected})


def _check(engine: Engine, rows: ir.Table, flagged: ir.Table, expected: int) -> None:
    if not expected:
        raise InputRefused("the run flags no exchange: no campaign of it is suspect or distillation, so none is shared")
    joined = engine.arrow(flagged.inner_join(rows.select("exchange_id"), "exchange_id").aggregate(n=ibis._.count()))
    met = joined["n"][0].as_py()
    if met < expected:
        raise InputRefused(
            f"{expected - met:,} of {expected:,} exchanges that the run flags are not in this log; give the run's own"
        )


def _exchange_kinds(rows: ir.Table) -> Iterable[tuple[Kind, str, ir.Value]]:
    network = rows.ip.re_extract(V4, 1)
    yield Kind.ADDRESS, "ip", rows.ip
    yield Kind.PREFIX, "ip", (network != "").ifelse(network + ".0/24", ibis.null("string"))  # IPv6: by address alone
    yield Kind.ASN, "asn", rows.asn.cast("string")
    yield Kind.CLIENT, "tls_fingerprint", rows.tls_fingerprint
    yield Kind.USER_AGENT, "user_agent", rows.user_agent


def _counted(shown: ir.Table, campaigns: ir.Table, roles: ir.Table, by: str) -> ir.Table:
    """Count, for each campaign and value, the members and exchanges that show it, and all who do elsewhere."""
    shown = shown.filter(shown.value.notnull() & (shown.value != ""))
    own = shown.inner_join(campaigns, by)
    own = own.group_by("campaign_id", "value").agg(members=own.account_id.nunique(), exchanges=own.count())
    own = own.filter(own.members >= SEVERAL)
    pairs = shown.semi_join(own, "value").select("value", "account_id").distinct().left_join(roles, "account_id")
    inside, protected = pairs.inside.fill_null(False), pairs.protected.fill_null(False)
    who = pairs.group_by("value").agg(outsiders=(~inside).cast("int64").sum(), protected=protected.cast("int64").sum())
    return own.inner_join(who, "value").select("campaign_id", "value", "members", "exchanges", "outsiders", "protected")


def _add(engine: Engine, found: dict[str, list[Shown]], kind: Kind, counted: ir.Table) -> None:
    per_account = kind in (Kind.MAIL_DOMAIN, Kind.PAYMENT)
    for row in engine.arrow(counted.order_by(["campaign_id", "value"])).to_pylist():
        exchanges = None if per_account else int(row["exchanges"])
        numbers = (int(row["members"]), exchanges, int(row["outsiders"]), int(row["protected"]))
        found[row["campaign_id"]].append(Shown(kind, str(row["value"]), *numbers))


def protected_accounts(
    engine: Engine, accounts: Ingested | None, licences: Ingested | None, cleared: Path | None
) -> frozenset[str]:
    """Return the accounts that a licence covers, whatever they did with it, and those in a list of cleared ones."""
    names: set[str] = set()
    if cleared is not None:
        try:
            names |= {line.strip() for line in cleared.read_text(encoding="utf-8").splitlines() if line.strip()}
        except (OSError, UnicodeDecodeError) as error:
            raise InputRefused(f"{cleared}: cannot be read ({type(error).__name__}); one account id a line") from None
    if licences is None:
        return frozenset(names)
    terms = engine.arrow(licences.table.select("org_id", "account_id"))
    names |= {name for name in terms["account_id"].to_pylist() if name}
    organisations = pa.array([name for name in terms["org_id"].to_pylist() if name], pa.string())
    if accounts is not None and len(organisations):
        table = engine.arrow(accounts.table.select("account_id", "org_id"))
        names |= set(table.filter(pc.is_in(table["org_id"], value_set=organisations))["account_id"].to_pylist())
    return frozenset(names)
