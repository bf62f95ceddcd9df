from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs stillwatch[watermark]")
pytest.importorskip("transformers", reason="needs stillwatch[watermark]")

from stillwatch.lab.provenance import shown
from stillwatch.lab.provenance.story import Size, Story, tell

TINY = Size(4, 4, 4, 60, 60, 40, 20)


@pytest.mark.slow
def test_the_story_runs_to_its_verdicts_and_goes_on_where_it_was(tmp_path: Path) -> None:
    said: list[str] = []
    (found,) = tell(tmp_path, TINY, [1], said.append)
    assert [each["suspect"] for each in found["suspects"]] == ["base", "human", "plain", "marked", "twins"]
    assert {test for test in shown.TESTS if test not in found["suspects"][0]} == set()
    assert json.loads((tmp_path / "results.json").read_text())[0]["suspects"] == found["suspects"]
    assert any(each.startswith("teacher") for each in said)
    told = len(said)
    tell(tmp_path, TINY, [1], said.append)
    assert len(said) == told


def test_twins_of_the_harvest_say_the_same_in_other_words(tmp_path: Path) -> None:
    story = Story(tmp_path, TINY, 1, lambda text: None)
    answers = story.harvest("plain")
    twins = story.harvest("twins")
    cut = story.asked()
    assert [each[:cut] for each in answers] == [each[:cut] for each in twins]
    assert story.harvest("twins") == twins
