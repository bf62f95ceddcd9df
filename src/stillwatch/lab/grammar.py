r"""The corpus, compiled: rules of alternatives with slots, flattened into arrays that a kernel can walk.

A corpus file holds rules. `== name` opens one and every line after it is an alternative; `3x ` before an alternative
gives it three times the weight; `\n` is a line break, `\t` a tab. Slots refer to rules:

    {topic}   drawn afresh at each place
    {=topic}  the same wherever it stands in one text
    {@topic}  the same in all texts of one author: a person's wording, a company's template
    {&topic}  the same at this place in all texts of one author, another at another place
    {?topic}  drawn afresh, or left out, with even chances
    {#1-99}   a number
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from stillwatch.lab.chance import Array
from stillwatch.lab.published import mix_in_published_prompts
from stillwatch.model import UsageError

SPLITS = ("tuning", "report")
CORPUS = Path(__file__).parent / "corpus"
LITERAL, FRESH, SAME, AUTHOR, PLACE, MAYBE, NUMBER = range(7)
_MARKS = {"=": SAME, "@": AUTHOR, "&": PLACE, "?": MAYBE}
_SLOT = re.compile(r"\{([=@&?#]?)([\w.\-]+)\}")
_WEIGHT = re.compile(r"(\d+)x (.*)")


@dataclass(frozen=True)
class Grammar:
    """Rules as flat arrays: rule → alternatives → operations → bytes."""

    names: dict[str, int]
    rule_first: Array  # alternatives of rule r: rule_first[r] … rule_first[r + 1]
    alternative_first: Array  # operations of alternative a
    operations: Array  # rows of (kind, first, second)
    text: Array  # all literal bytes

    def rule(self, name: str) -> int:
        """The number of a rule."""
        if name not in self.names:
            raise UsageError(f"corpus: no rule {name!r}; rules are opened by a line '== {name}'")
        return self.names[name]

    def family(self, prefix: str) -> list[int]:
        """The rules whose names start with the prefix, in order of name."""
        return [self.names[name] for name in sorted(self.names) if name.startswith(prefix)]


def read_rules(text: str) -> dict[str, list[str]]:
    """The rules of one corpus file; an alternative with weight three is listed three times."""
    rules: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("== "):
            lines = rules.setdefault(line[3:].strip(), [])
        elif line.strip() and not line.startswith("# "):
            weighted = _WEIGHT.fullmatch(line)
            lines += [weighted[2]] * int(weighted[1]) if weighted else [line]
    return rules


def load_rules(split: str) -> dict[str, list[str]]:
    """Words that both splits share, and the templates and intents of one split."""
    rules: dict[str, list[str]] = {}
    for folder in ("shared", split):
        for path in sorted((CORPUS / folder).glob("*.txt")):
            for name, lines in read_rules(path.read_text(encoding="utf-8")).items():
                rules.setdefault(name, []).extend(lines)
    return rules


def compile_grammar(rules: dict[str, list[str]]) -> Grammar:
    """Flatten rules; a slot that names no rule is refused."""
    names = {name: number for number, name in enumerate(rules)}
    rule_first, alternative_first = [0], [0]
    operations: list[tuple[int, int, int]] = []
    text = bytearray()
    for name, lines in rules.items():
        for line in lines:
            operations += _operations(line.replace("\\n", "\n").replace("\\t", "\t"), names, text, name)
            alternative_first.append(len(operations))
        rule_first.append(len(alternative_first) - 1)
    return Grammar(
        names,
        np.array(rule_first, np.int64),
        np.array(alternative_first, np.int64),
        np.array(operations, np.int64).reshape(-1, 3),
        np.frombuffer(bytes(text), np.uint8),
    )


def _operations(line: str, names: dict[str, int], text: bytearray, rule: str) -> list[tuple[int, int, int]]:
    found = []
    place = 0
    for slot in _SLOT.finditer(line):
        if slot.start() > place:
            found.append(_literal(line[place : slot.start()], text))
        mark, name = slot.groups()
        if mark == "#":
            low, high = name.split("-")
            found.append((NUMBER, int(low), int(high)))
        elif name not in names:
            raise UsageError(f"corpus: rule {rule!r} uses {{{name}}}, which no file defines")
        else:
            found.append((_MARKS.get(mark, FRESH), names[name], 0))
        place = slot.end()
    if place < len(line):
        found.append(_literal(line[place:], text))
    return found


def _literal(words: str, text: bytearray) -> tuple[int, int, int]:
    encoded = words.encode()
    text += encoded
    return LITERAL, len(text) - len(encoded), len(encoded)


@cache
def grammar_of(split: str, prompts: str = "own") -> Grammar:
    """The compiled corpus of one split; `prompts="real"` mixes published prompts into the intents."""
    if split not in SPLITS:
        raise UsageError(f"split {split!r} is none of {', '.join(SPLITS)}")
    rules = load_rules(split)
    if prompts == "real":
        rules = mix_in_published_prompts(rules, split)
    elif prompts != "own":
        raise UsageError(f"prompts: {prompts!r} is neither 'own' nor 'real'")
    return compile_grammar(rules)
