"""Results as tables on a terminal. Every value comes from somebody else's log, so none is read as markup."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stillwatch.model import Axis, Campaign, Evidence

if TYPE_CHECKING:  # types only: a command that prints two lines must not wait for numba
    from stillwatch.apps.explain import Cause, Explanation
    from stillwatch.apps.run import AttributeEdge, Run
    from stillwatch.ingest.support import Support
    from stillwatch.signals.base import Signal

TIES_SHOWN = 12
RUNS_SHOWN = 12
COLOURS = {"distillation": "bold red", "suspect": "yellow", "watch": "cyan", "clear": "green"}


def print_run(run: Run, console: Console) -> None:
    """One line a campaign, gravest first, and what was read."""
    rows = run.manifest.get("rows", {})
    rejected = f", {rows['rejected']:,} rows rejected" if rows.get("rejected") else ""
    console.print(
        f"{run.manifest.get('exchanges', 0):,} exchanges of {run.verdicts.num_rows:,} accounts{rejected}", style="dim"
    )
    if not run.stories:
        console.print("No campaign was found.")
        return
    table = table_of(
        "campaign", "verdict", "p", "accounts", "exchanges", "sought", right=("p", "accounts", "exchanges")
    )
    for story in run.stories:
        one = story.campaign
        table.add_row(
            escape(one.campaign_id), _verdict(one.verdict), f"{one.p:.3f}", f"{one.accounts:,}", f"{one.exchanges:,}",
            escape(_sought(one)),
        )  # fmt: skip
    console.print(table)


def print_explanation(told: Explanation, console: Console) -> None:
    """Every term with its bits and because; then sums, ties, and what was not evaluated."""
    verdict = told.row["verdict"] if told.row else told.causes[0].campaign.verdict
    console.print(f"{told.subject_type} [bold]{escape(told.subject_id)}[/]: {_verdict(verdict)}")
    console.print(escape(f"{told.because}."))
    if told.row:
        console.print(_account_line(told.row), style="dim")
    for cause in told.causes:
        _print_cause(cause, console, whose=told.subject_type)
    console.print("\n[bold]Not evaluated[/]")
    for signal, reason in told.not_evaluated:
        console.print(f"  {signal}: {escape(reason)}")
    if not told.not_evaluated:
        console.print("  nothing: the input had what every signal needs")


def print_support(support: Support, console: Console) -> None:
    """What the log holds, what is wrong with it, and what that allows."""
    console.print(
        f"{support.rows_kept:,} of {support.rows_read:,} exchanges can be used "
        f"({support.rows_rejected:,} rejected, {support.duplicates:,} of them repeat an id)"
    )
    console.print(
        f"{support.accounts:,} accounts, {support.models:,} models, {_moment(support.first_seen)} to "
        f"{_moment(support.last_seen)}, {support.hours_without:,} hours without any exchange"
    )
    for mend in support.mends:
        console.print(f"  {mend.rows:,} × {escape(mend.field)}: {escape(mend.example)}")
    table = table_of("column", "filled", "meaning", right=("filled",))
    for column in support.columns:
        table.add_row(column.name, f"{column.share:.0%}" if column.present else "absent", column.meaning)
    console.print(table)
    table = table_of("what can be seen", "", "because", "columns that would enable it")
    for each in support.abilities:
        colour = {"supported": "green", "partly": "yellow", "not": "red"}.get(each.state, "")
        state = f"[{colour}]{each.state}[/]" if colour else each.state
        table.add_row(each.ability, state, escape(each.because), ", ".join(each.enable))
    console.print(table)
    for note in support.notes:
        console.print(f"note: {escape(note)}")


def print_signals(roster: Sequence[Signal], console: Console) -> None:
    """The roster, by axis, with what each signal needs and what to do first when it fires."""
    for axis in Axis:
        console.print(f"\n[bold]{axis}[/]")
        table = table_of("signal", "family", "needs", "why", "first step")
        for each in (one for one in roster if one.axis is axis):
            needs = ", ".join(need.replace("|", " or ") for need in each.needs) or "nothing more"
            table.add_row(each.name, each.family, needs, " ".join(each.why.split()), each.runbook)
        console.print(table)


def _print_cause(cause: Cause, console: Console, whose: str) -> None:
    one = cause.campaign
    console.print(
        f"\ncampaign [bold]{escape(one.campaign_id)}[/]: {_verdict(one.verdict)}, p {one.p:.3f}, {one.status}; "
        f"{one.accounts:,} accounts, {one.exchanges:,} exchanges, {_moment(one.first_seen)} to {_moment(one.last_seen)}"
    )
    for claim in one.claims:
        console.print(f"  {claim.grade}: {escape(claim.text)}")
    _print_who(cause, console)
    _print_history(cause, console)
    _print_terms("Against", cause.against, console)
    _print_terms("For innocence", cause.innocence, console)
    _print_sums(cause, console)
    _print_ties(cause.ties, console, whose)
    for title, lines in (("What would overturn it", one.overturn), ("Recommended", one.actions)):
        if lines:
            console.print(f"\n[bold]{title}[/]")
        for line in lines:
            console.print(f"  {escape(line)}")


def _print_who(cause: Cause, console: Console) -> None:
    for role, question in (("pool-operator", "Who runs the accounts"), ("workload-owner", "Who ordered the work")):
        own = [one for one in cause.hypotheses if one.role == role]
        if own:
            console.print(f"\n[bold]{question}[/]: hypotheses among the known actors, adding up to 1")
        for one in own:
            console.print(f"  {one.p:.3f} {escape(one.name)} ({one.grade})")
            for claim in one.because:
                console.print(f"        {claim.grade}: {escape(claim.text)}", style="dim")


def _print_history(cause: Cause, console: Console) -> None:
    if len(cause.history) < 2:
        return
    console.print("\n[bold]Over the runs[/]")
    for step in cause.history[-RUNS_SHOWN:]:
        size = f": {step.accounts:,} accounts, {step.exchanges:,} exchanges" if step.accounts else ""
        console.print(f"  until {_moment(step.until)} {step.status}{size}")
    for word, names in (("from", cause.parents), ("into", cause.children)):
        if names:
            console.print(f"  {word} {escape(', '.join(names))}")


def _print_terms(title: str, terms: Sequence[Evidence], console: Console) -> None:
    console.print(f"\n[bold]{title}[/]")
    if not terms:
        console.print("  nothing")
        return
    table = table_of("axis", "family", "signal", "bits", "because", "exchanges", right=("bits",))
    for term in terms:
        cited = ", ".join(term.exchanges[:2]) + (f" and {len(term.exchanges) - 2} more" if term.exchanges[2:] else "")
        table.add_row(term.axis, term.family, term.signal, f"{term.bits:+.1f}", escape(term.because), escape(cited))
    console.print(table)


def _print_sums(cause: Cause, console: Console) -> None:
    console.print("\n[bold]Sums[/]: within a family the strongest term counts in full, the others by half")
    one = cause.campaign
    for axis in Axis:
        console.print(f"  {axis} {getattr(one, f'{axis}_bits'):+.1f} bits")
        for each in (part for part in cause.sums if part.axis is axis):
            console.print(
                f"    {each.family} {each.counts:+.1f} of {each.raw:+.1f} in {each.terms} terms, "
                f"ceiling {each.ceiling:.0f}",
                style="dim",
            )
        if axis is Axis.COORDINATION and cause.trust < 1:
            console.print(f"    counts for {cause.trust:.0%}: a small group may be tied by coincidence", style="dim")


def _print_ties(ties: Sequence[AttributeEdge], console: Console, whose: str) -> None:
    console.print("\n[bold]Ties[/] by shared values (the strongest that the run kept)")
    values = {(tie.kind, tie.value, tie.shared_by, tie.bits) for tie in ties}
    for kind, value, shared_by, bits in sorted(values, key=lambda tie: (-tie[3] * tie[2], tie[:2]))[:TIES_SHOWN]:
        console.print(f"  {kind} {escape(value)}: {shared_by:,} members, {bits:.1f} bits of rarity")
    if not values:
        console.print(f"  none: this {whose} is tied by behaviour alone, or by values that are not rare enough")


def _account_line(row: dict[str, Any]) -> str:
    return (
        f"p {row['p']:.3f}; {row['exchanges']:,} exchanges, {row['flagged_exchanges']:,} of them flagged, "
        f"{_moment(row['first_seen'])} to {_moment(row['last_seen'])}"
    )


def _sought(campaign: Campaign) -> str:
    return ", ".join(f"{share.name.replace('_', ' ')} {share.share:.0%}" for share in campaign.capabilities[:3])


def _verdict(verdict: str) -> str:
    return f"[{COLOURS[verdict]}]{verdict}[/]"


def _moment(moment: dt.datetime | None) -> str:
    return "–" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def table_of(*names: str, right: tuple[str, ...] = ()) -> Table:
    """Return an empty table with these columns, as all tables look."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in names:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    return table
