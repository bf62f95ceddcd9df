"""What is left when a log lacks columns that not every deployment has."""

from __future__ import annotations

from typing import Any

import stillwatch as sw
from stillwatch.lab.evaluate.bench import Bench, outcome
from stillwatch.lab.evaluate.part import Data, Part, share, table
from stillwatch.lab.evaluate.plan import Plan
from stillwatch.lab.evaluate.scores import summary
from stillwatch.lab.evaluate.tables import load, without
from stillwatch.lab.truth import read_truth

TEXT = ("prompt", "system_prompt")
LACKING: tuple[tuple[str, tuple[str, ...], tuple[str, ...] | None], ...] = (
    ("nothing", (), ()),
    ("TLS fingerprints", ("tls_fingerprint",), ()),
    ("payment fingerprints", (), ("payment_fingerprint",)),
    ("system prompts", ("system_prompt",), ()),
    ("addresses", ("ip", "asn", "country"), ("signup_ip",)),
    ("all text", TEXT, ()),
    ("the table of accounts", (), None),
)
CONCERNED = ("suspect", "distillation")


def measure(bench: Bench, plan: Plan) -> dict[str, Any]:
    """The same log, each time without something."""
    asked = plan.request(plan.small, plan.seeds[0])
    folder = bench.log(asked)
    tables, truth = load(folder), read_truth(folder / "labels")
    rows = []
    for name, exchanges, accounts in LACKING:
        bench.say(f"detecting without {name}")
        left = without(tables, exchanges, accounts)
        run = sw.detect(left.exchanges, left.accounts, left.licences)
        result = outcome(asked, truth, run)
        verdicts = result.found.verdict
        guilty = [one for one, campaign in truth.campaign.items() if campaign]
        innocent = [one for one in truth.campaign if truth.innocent(one)]
        rows.append(
            summary(result)
            | {
                "lacks": name,
                "not_evaluated": len(run.manifest["signals_not_evaluated"]),
                "signals": len(run.manifest["signals_evaluated"]) + len(run.manifest["signals_not_evaluated"]),
                "suspect_recall": sum(verdicts.get(one) in CONCERNED for one in guilty) / max(1, len(guilty)),
                "suspect_innocents": sum(verdicts.get(one) in CONCERNED for one in innocent),
            }
        )
    return {"rows": rows}


def tell(data: Data) -> str:
    """One line for each thing that is lacking."""
    rows = [
        [
            one["lacks"],
            f"{one['not_evaluated']} of {one['signals']}",
            f"{sum(row['found'] for row in one['campaigns'])} of {len(one['campaigns'])}",
            share(one["account_precision"]),
            share(one["account_recall"]),
            share(one["exchange_recall"]),
            f"{one['innocents_accused']} of {one['innocents']:,}",
            share(one["suspect_recall"]),
            f"{one['suspect_innocents']}",
        ]
        for one in data["rows"]
    ]
    heads = ("the log lacks", "signals not evaluated", "campaigns found", "account P", "account R", "exchange R")
    head = (*heads, "innocents accused", "accounts suspect or worse", "innocents so")
    return (
        "A signal whose columns are absent is not evaluated, which the manifest says. Without the table of accounts "
        "nobody can be said to hide what the log could not show, so `suspect` is the gravest verdict there; without "
        "text there are no template keys, no groups, and nothing is said of anyone.\n\n" + table(head, rows)
    )


PART = Part("partial", "Missing columns", measure, tell, lambda plan: f"{plan.small:,} exchanges", seeds=1)
