"""A score as tables on a terminal: what was found, what was missed, who was wrongly accused."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from stillwatch.lab.score import CampaignScore, Score


def print_score(score: Score, console: Console) -> None:
    """Two tables and three lines."""
    console.print(_campaigns(score))
    console.print(_lookalikes(score))
    console.print(
        f"accounts: precision {score.account_precision:.3f}, recall {score.account_recall:.3f} · "
        f"exchanges: precision {score.exchange_precision:.3f}, recall {score.exchange_recall:.3f}"
    )
    console.print(
        f"innocents accused: {score.innocents_accused} of {score.innocents:,} "
        f"({score.accused_per_100k:.1f} per 100,000) · false campaigns: {score.false_campaigns}"
    )
    console.print(
        f"B³: precision {score.b_cubed_precision:.3f}, recall {score.b_cubed_recall:.3f}, F {score.b_cubed_f:.3f}"
    )


def _campaigns(score: Score) -> Table:
    table = Table(title="Planted campaigns")
    table.add_column("campaign")
    for name in ("accounts", "exchanges"):
        table.add_column(name, justify="right")
    table.add_column("outcome")
    for name in ("acc. P", "acc. R", "exch. P", "exch. R"):
        table.add_column(name, justify="right")
    for row in score.campaigns:
        figures = (row.account_precision, row.account_recall, row.exchange_precision, row.exchange_recall)
        shown = [f"{figure:.3f}" if row.found else "–" for figure in figures]
        table.add_row(row.name, f"{row.accounts:,}", f"{row.exchanges:,}", _outcome(row), *shown)
    return table


def _outcome(row: CampaignScore) -> str:
    if not row.found:
        return "[red]missed[/red]"
    parts = ["found"]
    if row.pieces > 1:
        parts.append(f"split in {row.pieces}")
    if row.merged_with:
        parts.append("merged with " + ", ".join(row.merged_with))
    return "; ".join(parts)


def _lookalikes(score: Score) -> Table:
    table = Table(title="Innocents by look-alike class")
    table.add_column("class")
    for name in ("accounts", "watch", "suspect", "distillation"):
        table.add_column(name, justify="right")
    for row in score.lookalikes:
        accused = f"[red]{row.distillation}[/red]" if row.distillation else "0"
        table.add_row(row.name, f"{row.accounts:,}", str(row.watch), str(row.suspect), accused)
    return table
