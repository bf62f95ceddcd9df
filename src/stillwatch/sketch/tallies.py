"""What exchanges leave behind about accounts: sums and sets that merge exactly, window by window.

Each tally is made of the sketches of some exchanges, and two tallies of one name make the tally of all their exchanges:
sums are added, first and last moments compared, sets united. A day's tallies are small beside its exchanges.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

SUMS = (
    "exchanges", "single", "talk", "trace", "rubric", "input_tokens", "output_tokens", "saturated", "templated",
    "denied",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tally:
    """One table: how it is made of exchange sketches, and how the rows of several are merged into one."""

    name: str
    make: Callable[[ir.Table], ir.Table]
    merge: Callable[[ir.Table], ir.Table]


def usage_sums(rows: ir.Table) -> dict[str, ir.Value]:
    """Return the integer sums over exchanges that accounts and members of groups have alike."""
    return {
        "exchanges": rows.count(),
        "first_ts": rows.ts.min(),
        "last_ts": rows.ts.max(),
        "single": rows.single.sum(),
        "talk": rows.talk.sum(),
        "trace": rows.trace.cast("int64").sum(),
        "rubric": rows.rubric.cast("int64").sum(),
        "input_tokens": rows.input_tokens.fill_null(0).sum(),
        "output_tokens": rows.output_tokens.fill_null(0).sum(),
        "saturated": rows.saturated.sum(),
    }


def _accounts(rows: ir.Table) -> ir.Table:
    return rows.group_by("account_key").agg(
        account_id=rows.account_id.min(),
        **usage_sums(rows),
        templated=(rows.template_key != 0).cast("int64").sum(),
        denied=rows.denied.sum(),
        first_denied=rows.ts.min(where=rows.denied == 1),
    )


def _merge_accounts(rows: ir.Table) -> ir.Table:
    return rows.group_by("account_key").agg(
        account_id=rows.account_id.min(),
        **{name: rows[name].sum() for name in SUMS},
        first_ts=rows.first_ts.min(),
        last_ts=rows.last_ts.max(),
        first_denied=rows.first_denied.min(),
    )


def _count(*keys: str) -> Callable[[ir.Table], ir.Table]:
    return lambda rows: rows.group_by(*keys).agg(exchanges=rows.count())


def _add(*keys: str) -> Callable[[ir.Table], ir.Table]:
    return lambda rows: rows.group_by(*keys).agg(exchanges=rows.exchanges.sum())


def _distinct(*columns: str) -> Callable[[ir.Table], ir.Table]:
    return lambda rows: rows.select(*columns).distinct()


def _atoms(rows: ir.Table) -> ir.Table:
    parts = []
    for kind in ("template_key", "system_key"):
        framed = rows.filter(rows[kind] != 0)
        parts.append(
            framed.group_by("account_key", frame=framed[kind]).agg(
                exchanges=framed.count(), first_ts=framed.ts.min(), last_ts=framed.ts.max()
            )
        )
    return parts[0].union(parts[1])


def _merge_atoms(rows: ir.Table) -> ir.Table:
    return rows.group_by("account_key", "frame").agg(
        exchanges=rows.exchanges.sum(), first_ts=rows.first_ts.min(), last_ts=rows.last_ts.max()
    )


def _minted(rows: ir.Table) -> ir.Table:
    shown = rows.filter(rows.artefacts_out.length() > 0)
    return shown.select("account_key", artefact=shown.artefacts_out.unnest()).distinct()


def _submitted(rows: ir.Table) -> ir.Table:
    back = rows.filter(rows.artefacts_in.length() > 0)
    back = back.select("account_key", "exchange_id", artefact=back.artefacts_in.unnest())
    return back.group_by("account_key", "artefact").agg(exchanges=back.count(), cite=back.exchange_id.min())


def _merge_submitted(rows: ir.Table) -> ir.Table:
    return rows.group_by("account_key", "artefact").agg(exchanges=rows.exchanges.sum(), cite=rows.cite.min())


def _with_day(rows: ir.Table) -> ir.Table:
    return rows.group_by("model", day=rows.hour // 24).agg(exchanges=rows.count())


CLIENT = ("account_key", "tls_fingerprint", "user_agent", "asn")
TALLIES: tuple[Tally, ...] = (
    Tally("accounts", _accounts, _merge_accounts),
    Tally("hours", _count("account_key", "hour"), _add("account_key", "hour")),
    Tally("addresses", _distinct("account_key", "ip"), _distinct("account_key", "ip")),
    Tally("clients", _distinct(*CLIENT), _distinct(*CLIENT)),
    Tally("systems", _distinct("account_key", "system_key"), _distinct("account_key", "system_key")),
    Tally("tools", _distinct("account_key", "tools_key"), _distinct("account_key", "tools_key")),
    Tally("atoms", _atoms, _merge_atoms),
    Tally("model_days", _with_day, _add("model", "day")),
    Tally("minted", _minted, _distinct("account_key", "artefact")),
    Tally("submitted", _submitted, _merge_submitted),
)


def tally(rows: ir.Table) -> dict[str, ir.Table]:
    """Return every tally of some exchange sketches, as expressions that nothing has computed yet."""
    return {each.name: each.make(rows) for each in TALLIES}


def merge(parts: list[Mapping[str, ir.Table]]) -> dict[str, ir.Table]:
    """Return the tallies of all exchanges that some tallies were made of, as expressions."""
    if len(parts) == 1:
        return dict(parts[0])
    return {each.name: each.merge(ibis.union(*(part[each.name] for part in parts))) for each in TALLIES}


def prefix_of(address: ir.StringValue) -> ir.StringValue:
    """Return the /24 of an IPv4 address, or the first two groups of an IPv6 one; null where there is neither."""
    six = address.re_extract(r"^([0-9a-f]*:[0-9a-f]*:[0-9a-f]*)", 1)
    four = address.re_extract(r"^(\d+\.\d+\.\d+)\.", 1)
    return ibis.ifelse(address.contains(":"), six, four).nullif("")


def stack_of(rows: ir.Table) -> ir.StringValue:
    """Return TLS fingerprint and user agent as one value; null where neither is known."""
    unknown = rows.tls_fingerprint.isnull() & rows.user_agent.isnull()
    return ibis.ifelse(unknown, None, rows.tls_fingerprint.fill_null("") + "|" + rows.user_agent.fill_null(""))
