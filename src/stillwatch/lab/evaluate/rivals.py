"""Every rival and stillwatch on the same logs: who ranks the accounts of which scenario best, and at what price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stillwatch.lab.compose import Request
from stillwatch.lab.evaluate.bench import Bench
from stillwatch.lab.evaluate.metrics import Rate
from stillwatch.lab.evaluate.part import Bar, Data, Part, share, table
from stillwatch.lab.evaluate.plan import Plan
from stillwatch.lab.evaluate.scores import mean
from stillwatch.lab.evaluate.standings import TIE, behind, best_rival, by_scenario, lost_to_noise
from stillwatch.lab.evaluate.svg import Scale, dots
from stillwatch.lab.evaluate.tuning import taught
from stillwatch.lab.evaluate.versus import OURS, compare, own_ranking
from stillwatch.lab.rivals import Log, Rival
from stillwatch.lab.rivals.roster import ROSTER
from stillwatch.lab.rivals.run import run_within
from stillwatch.lab.rivals.tune import best_setting
from stillwatch.model import StillwatchError

USED = 1  # seeds
HARD = 0.3  # scale of the preset of the hardest cases
BUDGET = 180.0  # seconds for one rival on one log
UNIT = Scale(0.0, 1.0, tuple((each / 4, f"{each / 4:g}") for each in range(5)))


def requests(plan: Plan) -> list[Request]:
    """Two logs a seed: the default scenarios, and the hardest cases; together, every scenario that there is."""
    hard = HARD * (0.25 if plan.quick else 1.0)
    return [
        request
        for seed in plan.seeds[:USED]
        for request in (plan.request(plan.small, seed), plan.preset("hardest", seed, hard))
    ]


def measure(bench: Bench, plan: Plan) -> dict[str, Any]:
    """Run all of them on every log, each at the setting that did best on tuning replays."""
    tuned = taught(bench, plan)
    settings = {rival.name: best_setting(rival) for rival in ROSTER}
    rows: dict[str, dict[str, Any]] = {}
    for request in requests(plan):
        outcome, folder = bench.outcome(request), bench.log(request)
        _add(rows, OURS, compare(own_ranking(outcome), outcome.truth), outcome.seconds)
        for rival in ROSTER:
            bench.say(f"running {rival.name}")
            try:
                answer = run_within(rival, Log(folder), settings[rival.name], tuned, BUDGET)
            except StillwatchError as error:
                rows.setdefault(rival.name, {"runs": []})["skipped"] = str(error)
                continue
            if answer.ranking is None:
                rows.setdefault(rival.name, {"runs": []})["skipped"] = answer.note
            else:
                _add(rows, rival.name, compare(answer.ranking, outcome.truth), answer.seconds)
    return {"detectors": rows, "about": {rival.name: _about(rival, settings[rival.name]) for rival in ROSTER}}


def _add(rows: dict[str, dict[str, Any]], name: str, compared: dict[str, Any], seconds: float) -> None:
    rows.setdefault(name, {"runs": []})["runs"].append(compared | {"seconds": seconds})


def _about(rival: Rival, setting: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "source": rival.source,
        "kind": rival.kind,
        "substituted": rival.substituted,
        "setting": {name: str(value) for name, value in setting.items()},
    }


def tell(data: Data) -> str:
    """Who is best where; then what each costs."""
    rows = by_scenario(data)
    detectors = list(data["detectors"])
    lines = [
        [name, f"**{share(row[OURS])}**", share(best_rival(row)[1]), best_rival(row)[0]] for name, row in rows.items()
    ]
    every = [[name, *(share(rows[scenario].get(name), 2) for scenario in rows)] for name in detectors]
    said = "".join(f"- {line}\n" for line in behind(data)) or "- nowhere\n"
    skipped = [f"{name} was not run: {row['skipped']}" for name, row in data["detectors"].items() if "skipped" in row]
    return (
        "PR-AUC at a prevalence of 1e-3: the campaign's accounts against all innocent ones, means over the logs. "
        "stillwatch's score is `p` of the table of verdicts.\n\n"
        + table(("scenario", "stillwatch", "best rival", "which"), lines)
        + "\n![PR-AUC by scenario and detector](results/pr-auc.svg)\n\nstillwatch is not ahead:\n\n"
        + said
        + "".join(f"- {line}\n" for line in skipped)
        + lost_to_noise(rows)
        + "\nEvery detector on every scenario:\n\n"
        + table(("detector", *(name.partition("-")[0] + " " + name.partition("-")[2] for name in rows)), every)
        + "\nEach at its own threshold, over all scenarios of the same logs:\n\n"
        + _prices(data)
        + "\n"
        + _sources(data)
    )


def _prices(data: Data) -> str:
    own = mean(run["seconds"] for run in data["detectors"][OURS]["runs"])
    lines = []
    for name, row in data["detectors"].items():
        runs = row["runs"]
        if not runs:
            continue
        rate = Rate(sum(run["innocents_accused"] for run in runs), sum(run["innocents"] for run in runs))
        figures = [share(mean(run[key] for run in runs)) for key in ("all", "precision", "recall", "b_cubed")]
        accused = f"{rate.per_100k:,.0f} (≤ {rate.bound_per_100k:,.0f})"
        lines.append([name, *figures, accused, f"{mean(run['seconds'] for run in runs) / own:.2f}"])
    heads = ("detector", "PR-AUC over all", "account P", "account R", "B³ F", "innocents accused per 100,000")
    return table((*heads, "time, of stillwatch's"), lines)


def _sources(data: Data) -> str:
    lines = [
        [
            name,
            held["source"],
            held["kind"],
            held["substituted"],
            ", ".join(f"{k} {v}" for k, v in held["setting"].items()),
        ]
        for name, held in data["about"].items()
    ]
    return table(("rival", "source", "kind", "substituted", "setting, chosen on tuning replays"), lines, words=5)


def bars(data: Data) -> Sequence[Bar]:
    """Ahead of every rival everywhere."""
    rows = by_scenario(data)
    gaps = [row[OURS] - best_rival(row)[1] for row in rows.values()]
    ahead, after = sum(gap > TIE for gap in gaps), sum(gap < -TIE for gap in gaps)
    said = (
        f"ahead in {ahead}, level in {len(gaps) - ahead - after}, behind in {after}: {'; '.join(behind(data)) or '-'}"
    )
    return (Bar("ahead of every rival on PR-AUC in every scenario", said, ahead == len(gaps)),)


def draw(data: Data) -> dict[str, str]:
    """One line a scenario: stillwatch, the best rival, and the median of the rivals."""
    lines = []
    for name, row in by_scenario(data).items():
        others = sorted(value for detector, value in row.items() if detector != OURS)
        middle = others[len(others) // 2] if others else 0.0
        lines.append((name, {OURS: row[OURS], "best rival": best_rival(row)[1], "median rival": middle}))
    series = (OURS, "best rival", "median rival")
    return {"pr-auc.svg": dots("PR-AUC at a prevalence of 1e-3, by scenario", lines, series, UNIT)}


PART = Part(
    "rivals",
    "Rivals",
    measure,
    tell,
    lambda plan: f"{plan.small:,} exchanges of the default, and the preset `hardest` at a smaller scale",
    bars,
    draw,
    USED,
)
