"""What the story came to, as tables, and whether every verdict is the one that was planted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import log10
from statistics import mean
from typing import Any

from rich.console import Console
from rich.table import Table

from stillwatch.lab.gateway.findings import Promise, promises_table
from stillwatch.lab.provenance.promised import counts_table
from stillwatch.lab.students.measured import Measured

TESTS = ("open", "soft", "closed", "closed, no reference", "twins by likelihoods", "twins by text")
PLANTED = {"marked": ("open", "closed"), "twins": ("twins by likelihoods",)}  # what must be below CONVICTS
CONVICTS, INNOCENT = -6.0, -3.0  # log10 p


def print_found(found: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print what came through the gateway; then log10 p of each test, the lowest under a wrong key in brackets."""
    for each in found:
        _print_gateway(each["gateway"], console)
        table = Table("suspect", "ability", *TESTS, box=None, pad_edge=False, title=f"log10 p, seed {each['seed']}")
        for row in each["suspects"]:
            table.add_row(row["suspect"], f"{row['ability']:.2f}", *(_cell(row, test) for test in TESTS))
        console.print(table)
        seconds = each["seconds"]
        told = ", ".join(f"{name} {spent:.0f}" for name, spent in seconds.items())
        console.print(f"seconds: {told}; {sum(seconds.values()):.0f} in all", style="dim")
    for problem in problems(found):
        console.print(f"not as planted: {problem}")


def print_countermeasures(found: Sequence[Measured], console: Console) -> None:
    """Print what students of arithmetic learn from what each countermeasure serves."""
    table = Table("served", "passive", "adaptive", "lessons that it keeps", box=None, pad_edge=False)
    table.title = "share of held-out tasks that a student solves"
    for each in found:
        shares = (f"{mean(each.passive):.3f}", f"{mean(each.adaptive):.3f}", f"{mean(each.kept):,.0f}")
        table.add_row(each.served, *shares)
    console.print(table)


def held(found: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether those who learned are convicted, and nobody else is."""
    return not list(problems(found))


def problems(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield each verdict that is not the one that was planted."""
    for each in found:
        for promise in each["gateway"]["promises"]:
            if not promise["held"]:
                yield f"seed {each['seed']}: {promise['what']}: {promise['came']}"
        wrongs = [p for row in each["suspects"] for test in TESTS for p in row[f"{test}, wrong keys"]]
        luck = INNOCENT - log10(len(wrongs))  # of so many keys the lowest is below 1e-3 every few runs
        for row in each["suspects"]:
            name = f"seed {each['seed']}, {row['suspect']}"
            for test in TESTS:
                p, wrong = row[test]["log10_p"], min(row[f"{test}, wrong keys"])
                if test in PLANTED.get(row["suspect"], ()) and p >= CONVICTS:
                    yield f"{name}: {test} gives {p}, not below {CONVICTS}"
                if _innocent(row["suspect"], test) and p <= INNOCENT:
                    yield f"{name}: {test} gives {p}, although it did not learn that"
                if wrong <= luck:
                    yield f"{name}: {test} gives {wrong} under a wrong key"


def _print_gateway(told: Mapping[str, Any], console: Console) -> None:
    campaign = told["campaign"]
    if campaign:
        console.print(
            f"{campaign['campaign_id']}: {campaign['members']} accounts, p {campaign['p']:.3f}, "
            f"found after {campaign['at']:.1f} s; {told['past']:,} exchanges of the past were made up",
            highlight=False,
        )
    console.print(counts_table(told["counts"]), promises_table([Promise(**each) for each in told["promises"]]))


def _innocent(suspect: str, test: str) -> bool:
    return not (suspect == "twins" and test.startswith("twins")) and not (suspect == "marked" and test[:5] != "twins")


def _cell(row: Mapping[str, Any], test: str) -> str:
    return f"{row[test]['log10_p']:.1f} ({min(row[f'{test}, wrong keys']):.1f})"
