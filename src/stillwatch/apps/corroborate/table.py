"""Answers and their arithmetic on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:  # types only: printing needs no engine
    from stillwatch.apps.corroborate.asking import Told

COLUMNS = ("partner", "family", "in common", "bits of it", "reliability", "independence", "decay", "bits", "because")
NUMBERS = COLUMNS[2:8]


def print_told(told: Told, console: Console) -> None:
    """Print each answer as a line of a sum, the sum, and what it does to the verdict."""
    result, confidence = told.result, told.result.confidence
    console.print(f"campaign [bold]{escape(told.campaign)}[/]: {result.before.value} → {result.after.value}")
    console.print(escape(f"{result.because}."))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in COLUMNS:
        table.add_column(name, justify="right" if name in NUMBERS else "left", overflow="fold")
    for term in confidence.terms:
        one = term.answer
        factors = (term.reliability, term.independence, term.decay)
        cells = [f"{one.matches:,}", f"{term.llr:+.2f}", *(f"{factor:.2f}" for factor in factors), f"{term.bits:+.2f}"]
        table.add_row(escape(one.organisation), one.family, *cells, escape(term.because))
    console.print(table)
    console.print(
        f"prior {confidence.prior:+.2f} + reported {confidence.reported:+.2f} = "
        f"{confidence.prior + confidence.reported:+.2f} bits; p {confidence.p:.3f}, "
        f"credibility {confidence.credibility}, not calibrated"
    )
    for outcome in told.outcomes:
        if outcome.revealed is not None:
            console.print(f"{escape(outcome.partner)} and we both know {len(outcome.revealed):,} × {outcome.family}")
        if outcome.note:
            console.print(f"note: {escape(outcome.note)}")
    for failure in told.failures:
        console.print(f"failed: {escape(failure)}")
