"""Policies on a terminal. Values come from files and logs of somebody else, so none is read as markup."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from stillwatch.actions.decision import Decision
from stillwatch.actions.explain_policy import RuleTold
from stillwatch.actions.rules import SHADOW, PolicyFile
from stillwatch.actions.trials import Trial, told
from stillwatch.apps.terminal import table_of

if TYPE_CHECKING:
    from stillwatch.apps.policy.report import Report, Told

ACCOUNTS_SHOWN = 40
DAY = 86_400
COLOURS = {"speaks": "bold", "waits for approval": "yellow", "has run out": "yellow", "fails": "bold red"}


def print_rules(policy: PolicyFile, console: Console) -> None:
    """One line a rule, in the order in which they are asked."""
    dry = " (a dry run: nothing is done)" if policy.mode == SHADOW else ""
    console.print(escape(f"{policy.name}: {len(policy.rules)} rules, mode {policy.mode}{dry}, version {policy.digest}"))
    table = table_of("line", "rule", "does", "reason", "approval", "ends after", right=("line",))
    for rule in policy.rules:
        ends = f"{rule.expires / DAY:g} days" if rule.expires else ""
        approval = "by a person" if rule.approval else ""
        table.add_row(str(rule.line), *map(escape, (rule.name, rule.do.kind.value, rule.reason, approval, ends)))
    console.print(table)


def print_trials(trials: Sequence[Trial], name: str, console: Console) -> None:
    """What failed, with what was expected and what came instead; then how many there were."""
    failed = [trial for trial in trials if not trial.passed]
    for trial in failed:
        console.print(escape(f"{name}:{trial.case.line}: {trial.case.name}"), style="bold")
        for key, (want, got) in trial.differs.items():
            console.print(escape(f"  - {key}: {want}"), style="green")
            console.print(escape(f"  + {key}: {got}"), style="red")
    console.print(f"{len(trials) - len(failed)} of {len(trials)} cases came out as expected.")


def print_walk(rows: Sequence[RuleTold], decision: Decision, console: Console) -> None:
    """Every rule in order, and what is done."""
    table = table_of("line", "rule", "does", "stands", "because", right=("line",))
    for row in rows:
        style = COLOURS.get(row.stands)
        stands = f"[{style}]{escape(row.stands)}[/]" if style else escape(row.stands)
        table.add_row(str(row.line), escape(row.name), escape(row.action), stands, escape(row.because))
    console.print(table)
    said = told(decision)
    end = f"refused with {said['status']}" if said["refused"] else "not refused"
    console.print(escape(f"{said['rule'] or 'no rule'}: {said['action']}, {end}"), style="bold")


def print_report(found: Report, console: Console) -> None:
    """Counts by rule, then the accounts that noticed or would have."""
    console.print(f"{found.exchanges:,} exchanges of {found.accounts:,} accounts", style="dim")
    console.print(
        f"refused, limited or altered: {found.noticed:,} exchanges of {found.noticed_accounts:,} accounts; "
        f"would have been: {found.would_notice:,} of {found.would_notice_accounts:,}"
    )
    if not found.rules:
        console.print("No rule spoke.")
        return
    table = table_of("rule", "action", "reason", "", "exchanges", "accounts", "campaigns",
                     right=("exchanges", "accounts", "campaigns"))  # fmt: skip
    for row in found.rules:
        table.add_row(*_named(row), f"{row.exchanges:,}", f"{row.accounts:,}", f"{row.campaigns:,}")
    console.print(table)
    if not found.by_account:
        return
    console.print("\n[bold]Accounts that notice it[/]")
    table = table_of("account", "campaign", "rule", "action", "reason", "", "exchanges", right=("exchanges",))
    for row in found.by_account[:ACCOUNTS_SHOWN]:
        table.add_row(escape(row.account_id), escape(row.campaign_id), *_named(row), f"{row.exchanges:,}")
    console.print(table)
    more = len(found.by_account) - ACCOUNTS_SHOWN
    if more > 0:
        console.print(f"and {more:,} more; --json has them all", style="dim")


def _named(row: Told) -> tuple[str, str, str, str]:
    return escape(row.rule), escape(row.action), escape(row.reason), "done" if row.done else "would"
