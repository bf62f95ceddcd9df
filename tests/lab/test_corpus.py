"""The corpus: two splits that share no template and no intent, and a kernel that is a pure function of its seeds."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from stillwatch.lab.grammar import CORPUS, compile_grammar, grammar_of, load_rules, read_rules
from stillwatch.lab.published import data_folder, mix_in_published_prompts
from stillwatch.lab.render import hex_names, measure, write
from stillwatch.lab.roster import LANGUAGES
from stillwatch.model import MissingDependency, UsageError

SPLITS = ("tuning", "report")


def literal_runs(split: str, words: int) -> set[tuple[str, ...]]:
    """Runs of consecutive literal words in the templates of one split."""
    runs = set()
    for path in (CORPUS / split).glob("*.txt"):
        for lines in read_rules(path.read_text(encoding="utf-8")).values():
            for line in lines:
                for piece in re.split(r"\{[^}]+\}", line):
                    found = re.findall(r"\w+", piece.lower())
                    runs |= {tuple(found[i : i + words]) for i in range(len(found) - words + 1)}
    return runs


def own_rules(split: str) -> dict[str, set[str]]:
    rules: dict[str, set[str]] = {}
    for path in (CORPUS / split).glob("*.txt"):
        for name, lines in read_rules(path.read_text(encoding="utf-8")).items():
            rules.setdefault(name, set()).update(lines)
    return rules


def test_splits_share_no_run_of_four_literal_words() -> None:
    assert literal_runs("tuning", 4) & literal_runs("report", 4) == set()


def test_splits_share_no_intent_and_no_template() -> None:
    tuning, report = own_rules("tuning"), own_rules("report")
    topmost = {name for name in tuning if name.startswith(("chat.", "harvest.", "app.", "code.", "judge.", "harness."))}
    for name in topmost & set(report):
        both = {line for line in tuning[name] & report[name] if re.sub(r"\{[^}]+\}", "", line).strip()}
        assert not both, name


@pytest.mark.parametrize("split", SPLITS)
def test_there_are_intents_enough_in_each_language(split: str) -> None:
    rules = load_rules(split)
    intents = sum(
        len(set(lines)) for name, lines in rules.items() if name.startswith(("chat.", "code.ask", "hack.ask"))
    )
    assert intents >= 75
    assert all(len(set(rules[f"chat.{code}"])) >= 4 for code in LANGUAGES)


@pytest.mark.parametrize("split", SPLITS)
def test_every_rule_can_be_written_and_people_rarely_repeat(split: str) -> None:
    grammar = grammar_of(split)
    every = np.repeat(np.arange(len(grammar.names)), 5)
    seeds = np.arange(len(every), dtype=np.uint64)
    texts = write(grammar, every, seeds, seeds)
    assert texts.null_count == 0
    assert not any("{" in text and "}" in text and re.search(r"\{[@=&?#]", text) for text in texts.to_pylist())
    chat = np.full(4_000, grammar.rule("chat.en"))
    people = np.arange(4_000, dtype=np.uint64)
    assert len(set(write(grammar, chat, people, people).to_pylist())) > 3_950


def test_text_depends_on_its_own_seeds_only() -> None:
    grammar = grammar_of("tuning")
    rules = np.array([grammar.rule("chat.en"), -1, grammar.rule("app.prompt")])
    seeds = np.array([5, 6, 7], np.uint64)
    together = write(grammar, rules, seeds, seeds).to_pylist()
    alone = [write(grammar, rules[i : i + 1], seeds[i : i + 1], seeds[i : i + 1])[0].as_py() for i in range(3)]
    assert together == alone
    assert together[1] is None
    sizes = np.diff(measure(grammar, rules, seeds, seeds))
    assert sizes.tolist() == [len((text or "").encode()) for text in together]


def test_marks_tie_slots_to_text_author_or_place() -> None:
    rules = {
        "word": [f"w{n}" for n in range(500)],
        "line": ["{=word} {=word} {@word} {@word} {&word} {&word} {word} {#3-3}"],
    }
    grammar = compile_grammar(rules)
    line = np.full(2, grammar.rule("line"))
    authors = np.full(2, 9, np.uint64)
    first, second = (text.split() for text in write(grammar, line, np.array([1, 2], np.uint64), authors).to_pylist())
    assert first[0] == first[1] != second[0]
    assert first[2] == first[3] == second[2]
    assert first[4:6] == second[4:6]
    assert first[4] != first[5]
    assert first[7] == "3"


def test_a_slot_without_a_rule_is_refused() -> None:
    with pytest.raises(UsageError, match="no file defines"):
        compile_grammar({"line": ["{missing}"]})


def test_hex_names_are_unique_and_of_one_length() -> None:
    names = hex_names("x_", np.arange(10_000), 14).to_pylist()
    assert len(set(names)) == 10_000
    assert {len(name) for name in names} == {16}
    assert all(a != b for a, b in pairwise(sorted(names)))


def published(split: str) -> set[str]:
    own, mixed = load_rules(split), mix_in_published_prompts(load_rules(split), split)
    return {line for name in own for line in set(mixed[name]) - set(own[name])}


def test_published_prompts_are_never_in_both_splits() -> None:
    try:
        data_folder()
    except MissingDependency as absent:
        pytest.skip(str(absent))
    assert min(len(published(split)) for split in SPLITS) > 500
    assert not published("tuning") & published("report")


def test_published_prompts_are_refused_where_there_are_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STILLWATCH_DATA", str(tmp_path))
    with pytest.raises(MissingDependency, match="STILLWATCH_DATA"):
        mix_in_published_prompts(load_rules("report"), "report")
