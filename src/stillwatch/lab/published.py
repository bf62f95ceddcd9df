"""Published prompts and templates, where a folder of them is at hand, mixed into the corpus's intents.

The folder is named by STILLWATCH_DATA, else it is `shared/data` beside the checkout. Sources are dealt to the
splits, so that no published prompt is met in both.
"""

from __future__ import annotations

import gzip
import json
import os
import re
from pathlib import Path

from stillwatch.model import MissingDependency

# Published file → the intents it joins, for each split. Whole files go to one split where there are others of their
# kind; within the rest, every second source does. What people wrote goes to people.
_JOINS: dict[str, dict[str, tuple[str, ...]]] = {
    "tuning": {
        "awesome_prompts": ("chat.en",),
        "gpteacher_toolformer": ("code.ask",),
        "judge_templates": ("judge.prompt",),
        "eval_requests": ("harness.read",),
    },
    "report": {
        "gpteacher_roleplay": ("chat.en",),
        "seed_tasks": ("chat.en", "code.ask"),
        "judge_templates": ("judge.prompt",),
        "eval_requests": ("harness.commonsense",),
    },
}
_SPLIT_WITHIN = ("judge_templates", "eval_requests")
_PLACE = re.compile(r"\{\{?\s*[\w.]+\s*\}?\}")
LONGEST = 2_000  # characters of one published prompt that are used


def data_folder() -> Path:
    """Where published prompts lie; refuses when there are none."""
    named = os.environ.get("STILLWATCH_DATA")
    beside = Path(__file__).resolve().parents[4] / "shared" / "data"
    folder = Path(named) if named else beside
    if not (folder / "prompts").is_dir():
        raise MissingDependency(
            "--prompts real needs published material: set STILLWATCH_DATA to a folder that has prompts/"
        )
    return folder


def mix_in_published_prompts(rules: dict[str, list[str]], split: str) -> dict[str, list[str]]:
    """The rules with published prompts as further alternatives; slots of published templates get our fills."""
    mixed = dict(rules)
    for source, joined in _JOINS[split].items():
        lines = _read(data_folder() / "prompts" / f"{source}.jsonl.gz", split)
        for rule in joined:
            own = mixed[rule]
            copies = max(1, len(lines) // max(1, len(own)))  # about half of what is asked stays our own
            mixed[rule] = own * copies + lines
    return mixed


def _read(path: Path, split: str) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    if path.name.removesuffix(".jsonl.gz") in _SPLIT_WITHIN:
        ours = set(sorted({_source(row) for row in rows})[split == "report" :: 2])
        rows = [row for row in rows if _source(row) in ours]
    return sorted({_as_rule(text) for text in map(_text, rows) if text})


def _source(row: dict[str, object]) -> str:
    return f"{row['source']}/{row.get('eval', '')}"


def _text(row: dict[str, object]) -> str:
    text = row.get("text") or row.get("input") or ""
    if isinstance(text, list):
        text = "\n".join(str(turn["content"]) for turn in text)
    return str(text).strip()[:LONGEST]


def _as_rule(text: str) -> str:
    """A published text as one alternative: its slots become ours, other braces and line ends are kept literal."""
    with_slots = _PLACE.sub("\0", text).replace("{", "(").replace("}", ")")
    return with_slots.replace("\0", "{passage}").replace("\\", "/").replace("\r", "").replace("\n", "\\n")
