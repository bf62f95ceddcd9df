"""Reasoning written anew by rule: what a reader needs stays, what nobody needs goes, and nothing is made up."""

from __future__ import annotations

import logging
import sys
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.apps.gateway.apis.reformulating import reformulate
from stillwatch.apps.gateway.apis.rewriters import rewriters
from stillwatch.apps.gateway.apis.sentences import sentences_in, without_self_talk
from stillwatch.apps.gateway.apis.summarising import LONGEST, summarise
from stillwatch.model import UsageError
from tests.apps.gateway.spoken import TRACE

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


def test_a_summary_is_how_it_sets_out_and_what_it_comes_to() -> None:
    assert summarise(TRACE) == "I need to find the total. Therefore the answer is 89."


def test_a_long_trace_keeps_its_most_central_sentences_too() -> None:
    told = [f"The river crosses field number {n}." for n in range(30)]
    told[17] = "Water from the river reaches the river again."
    made = sentences_in(summarise(" ".join(["We look at maps.", *told, "So it is a loop."])))
    assert (len(made), made[0], made[-1]) == (3, "We look at maps.", "So it is a loop.")


@settings(max_examples=60, deadline=None)
@given(text=words)
def test_a_summary_is_short_and_makes_nothing_up(text: str) -> None:
    made = summarise(text)
    assert summarise(text) == made
    assert made == text or len(sentences_in(made)) <= 4 * (LONGEST + 1)
    known = "".join(text.split()).lower()
    assert all("".join(each.removesuffix(" …").split()).lower() in known for each in sentences_in(made)) or "…" in text


def test_reformulated_the_conclusion_comes_first_and_self_talk_is_gone() -> None:
    assert reformulate(TRACE) == (
        "Therefore the answer is 89. I need to find the total. "
        "There are 12 boxes with 7 pens each, so 12 * 7 = 84 pens. The loose pens are 5. Adding them, 84 + 5 = 89."
    )


def test_each_paragraph_concludes_first_and_lines_stay_lines() -> None:
    told = "First the base case.\nIt holds for one.\n\nThen the step.\nSo it holds for all."
    assert reformulate(told) == "So it holds for all.\nThen the step.\n\nIt holds for one.\nFirst the base case."


@pytest.mark.parametrize(
    "kept",
    ["Wait for the lock before writing.", "No prime divides it.", "Right triangles have one.",
     "Let me note that x = 4.", "Let me check whether 7 divides 91, which it does since 7 * 13 = 91.",
     "Now the matrix is singular."],
)  # fmt: skip
def test_what_says_something_is_no_self_talk(kept: str) -> None:
    assert without_self_talk([kept]) == [kept]


@pytest.mark.parametrize("gone", ["Hmm.", "Wait, let me check.", "Let me think about this.", "Is that right?", "Okay."])
def test_what_says_only_that_somebody_thinks_goes(gone: str) -> None:
    assert without_self_talk([gone, "Seven is prime."]) == ["Seven is prime."]


@settings(max_examples=60, deadline=None)
@given(text=words)
def test_no_figure_is_lost_or_made_up_in_reformulating(text: str) -> None:
    assert figures(reformulate(text)) == figures(text)


def figures(text: str) -> list[str]:
    return sorted(letter for letter in text if letter.isdigit() or letter == "=")


def test_a_function_of_the_deployment_takes_the_place_of_a_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("of_a_deployment")
    module.shout = str.upper  # type: ignore[attr-defined]
    module.number = 7  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "of_a_deployment", module)
    made = rewriters({"summary": "of_a_deployment:shout", "reformulated": ""})
    assert (made["summary"]("so"), made["reformulated"]) == ("SO", reformulate)
    for wrong in ("of_a_deployment:absent", "nowhere_at_all:x", "of_a_deployment:number", "of_a_deployment"):
        with pytest.raises(UsageError, match="module:function"):
            rewriters({"summary": wrong})


def test_raw_reasoning_does_not_pass_because_a_function_fails(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    module = ModuleType("of_a_deployment")
    module.fails = lambda text: text[9_999]  # type: ignore[attr-defined]
    module.nothing = lambda text: None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "of_a_deployment", module)
    with caplog.at_level(logging.ERROR, "stillwatch.gateway"):
        for name in ("fails", "nothing"):
            assert rewriters({"summary": f"of_a_deployment:{name}"})["summary"](TRACE) == summarise(TRACE)
    assert [record.message for record in caplog.records] == ["rewriter-failed"]
    assert "pens" not in caplog.text
