from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from stillwatch.apps import cli
from stillwatch.model import InputRefused, UsageError
from tests.apps.integrity.serving import KEY, Served, endpoint, speaks

PROMPTS = "".join(
    json.dumps({"id": f"p{at}", "family": "f", "text": f"Tell me of {at * 'x'}."}) + "\n" for at in range(8)
)


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli.app, ["audit-endpoint", *map(str, words)], catch_exceptions=True)


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.jsonl"
    path.write_text(PROMPTS, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the first model answered, recorded once."""
    folder = tmp_path_factory.mktemp("recording")
    (folder / "prompts.jsonl").write_text(PROMPTS, encoding="utf-8")
    path = folder / "reference.ndjson"
    with endpoint(speaks(1)) as served:
        more = ("--prompts", folder / "prompts.jsonl", "--answers", "12")
        done = run(served.url, "--model", "m", "--record", path, *more)
    assert done.exit_code == 0, done.output
    return path


@pytest.fixture
def recorded(recording: Path, tmp_path: Path) -> Path:
    """A copy, which a test may change."""
    return Path(shutil.copy(recording, tmp_path / "reference.ndjson"))


def audit(served: Served, reference: Path, *more: str) -> tuple[int, dict[str, Any]]:
    done = run(served.url, "--model", "m", "--reference", reference, "--calls", "40", "--json", *more)
    assert isinstance(done.exception, SystemExit | None), done.exception
    return done.exit_code, json.loads(done.stdout)


def test_the_same_model_passes_within_the_budget_that_was_said(recorded: Path) -> None:
    with endpoint(speaks(1), seed=2) as served:
        status, told = audit(served, recorded)
    assert (status, told["verdict"]) == (0, "no-difference-found")
    assert (len(served.asked), told["asked"], told["answered"]) == (40, 40, 40)
    assert told["plan"]["most_calls"] == 40
    assert [test["test"] for test in told["tests"]] == ["rank", "kernel"]
    assert all(0 < test["p"] <= test["p_adjusted"] for test in told["tests"])


def test_another_model_is_named_as_such_and_the_audit_stops_when_it_is_sure(recorded: Path) -> None:
    with endpoint(speaks(2), seed=2) as served:
        status, told = audit(served, recorded)
    assert (status, told["verdict"], told["stopped_early"], told["tests"]) == (1, "differs", True, [])
    assert len(served.asked) <= 20
    assert 0 < told["anytime_p"] <= told["level"] == told["false_alarm_bound"]


def test_the_whole_budget_gives_exact_p_values_that_are_never_zero(recorded: Path) -> None:
    with endpoint(speaks(2), seed=3) as served:
        status, told = audit(served, recorded, "--whole")
    assert (status, told["answered"], told["false_alarm_bound"]) == (1, 40, 0.002)
    assert all(test["p"] == pytest.approx(1e-4) for test in told["tests"])


def test_a_plan_asks_the_endpoint_nothing(recorded: Path) -> None:
    with endpoint(speaks(1)) as served:
        status, told = audit(served, recorded, "--plan")
    assert (status, served.asked) == (0, [])
    assert told["power"][0]["alternative"] == "the reference at 0.9 of its temperature"
    assert told["power"][1]["chance"] > told["power"][-1]["chance"]


def test_budget_and_power_are_said_before_the_first_call(recorded: Path) -> None:
    with endpoint(lambda *_: {"status": 400}) as served:
        done = run(served.url, "--model", "m", "--reference", recorded)
    assert "budget: at most 150 calls" in done.stderr
    assert isinstance(done.exception, UsageError)


def test_a_reference_may_be_another_endpoint_in_another_shape(prompts: Path) -> None:
    with endpoint(speaks(1)) as like, endpoint(speaks(1), seed=5) as served:
        done = run(
            served.url, "--model", "m", "--reference", like.url, "--reference-shape", "anthropic", "--reference-model",
            "original", "--prompts", prompts, "--answers", "8", "--calls", "16",
        )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "no difference was found, after 16 answers to 16 questions" in done.stdout
    assert {asked["model"] for asked in like.asked} == {"original"}
    assert len(like.asked) == 8 * (8 + 2)


def test_a_recording_that_was_broken_off_goes_on_where_it_ended(recorded: Path, prompts: Path) -> None:
    lines = recorded.read_text(encoding="utf-8").splitlines(keepends=True)
    recorded.write_text("".join(lines[:50]) + lines[50][:20], encoding="utf-8")
    with endpoint(speaks(1), seed=4) as served:
        run(served.url, "--model", "m", "--record", recorded, "--prompts", prompts, "--answers", "12")
    assert len(served.asked) == len(lines) - 50
    assert len(recorded.read_text(encoding="utf-8").splitlines()) == len(lines)
    assert recorded.stat().st_mode & 0o077 == 0


def test_border_inputs_and_log_probabilities_are_used_where_there_are_any(prompts: Path, tmp_path: Path) -> None:
    def tied(share: float, shift: float) -> Any:
        plain = speaks(1)

        def behave(asked: dict[str, Any], chance: random.Random) -> dict[str, Any]:
            if asked["max_tokens"] > 1:
                return plain(asked, chance)
            first = "a" if chance.random() < share else "b"
            return {"text": first, "logprobs": {"a": -0.7 + shift + chance.gauss(0, 0.01), "b": -0.7}}

        return behave

    path = tmp_path / "r.ndjson"
    common = ("--prompts", prompts, "--answers", "8", "--border", "30", "--logprobs")
    with endpoint(tied(0.5, 0.0)) as served:
        done = run(served.url, "--model", "m", "--record", path, *common, "--json")
        assert json.loads(done.stdout)["border_inputs"] > 3
    with endpoint(tied(0.95, 0.05)) as served:
        status, told = audit(served, path)
    assert status == 1
    assert [test["test"] for test in told["tests"]] == ["rank", "kernel", "border", "logprob"]
    assert max(test["p"] for test in told["tests"][2:]) < 0.01
    assert len(served.asked) == told["asked"] == told["plan"]["most_calls"]


def ranks_its_tokens(asked: dict[str, Any], _: random.Random) -> dict[str, Any]:
    """A vLLM server that knows words of the first model: small ranks for them, large ones for others."""
    assert asked["prompt_logprobs"] == 0
    words = [word for message in asked["messages"] for word in str(message["content"]).split()]
    ranks = [1 + int(word.rsplit("w", 1)[1]) if word.startswith("m1") else 500 for word in words]
    told = [None, *({"7": {"logprob": -1.0, "rank": rank, "decoded_token": "?"}} for rank in ranks)]
    return {"text": "", "more": {"prompt_logprobs": told}}


def test_a_local_copy_of_the_model_may_rank_the_answers(recorded: Path) -> None:
    with endpoint(ranks_its_tokens) as local, endpoint(speaks(1), seed=2) as same, endpoint(speaks(2)) as other:
        assert audit(same, recorded, "--local", local.url, "--calls", "16")[0] == 0
        status, told = audit(other, recorded, "--local", local.url)
    assert (status, told["stopped_early"]) == (1, True)
    assert len(other.asked) <= 12


def test_a_local_server_that_tells_no_ranks_is_refused(recorded: Path) -> None:
    with endpoint(speaks(1)) as local:
        done = run(local.url, "--model", "m", "--reference", recorded, "--local", local.url)
    assert isinstance(done.exception, InputRefused)


def test_keys_come_from_the_environment_and_are_never_shown(recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESELLER_KEY", KEY)
    with endpoint(speaks(1)) as served:
        served.key = KEY
        good = run(served.url, "--model", "m", "--reference", recorded, "--key-env", "RESELLER_KEY", "--calls", "4")
        served.key = "another"
        bad = run(served.url, "--model", "m", "--reference", recorded, "--key-env", "RESELLER_KEY", "--calls", "4")
    assert good.exit_code == 0
    assert isinstance(bad.exception, UsageError)
    assert "status 401; check RESELLER_KEY" in str(bad.exception)
    assert KEY not in good.output + bad.output + str(bad.exception)


def test_a_providers_usual_key_is_not_sent_to_a_reseller(recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with endpoint(speaks(1)) as served:
        run(served.url, "--model", "m", "--reference", recorded, "--calls", "4")
    assert all("authorization" not in headers for headers in served.headers)


def test_an_endpoint_that_fails_now_and_then_is_asked_again(recorded: Path) -> None:
    plain, turns = speaks(1), iter(range(10_000))

    def behave(asked: dict[str, Any], chance: random.Random) -> dict[str, Any]:
        return {"status": 503} if next(turns) % 3 == 0 else plain(asked, chance)

    with endpoint(behave) as served:
        status, told = audit(served, recorded)
    assert (status, told["answered"]) == (0, 40)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((), UsageError),
        (("--reference", "/nowhere.ndjson"), InputRefused),
        (("--reference", "x", "--shape", "soap"), UsageError),
        (("--reference", "x", "--set", "novalue"), UsageError),
        (("--reference", "x", "--key-env", "NOT_SET_ANYWHERE"), InputRefused),
    ],
)
def test_misuse_is_said_in_one_line(words: tuple[str, ...], error: type[Exception]) -> None:
    done = run("http://127.0.0.1:9/v1", "--model", "m", *words)
    assert isinstance(done.exception, error)
    assert "\n" not in str(done.exception)


def test_fields_of_the_body_can_be_set_and_taken_out(recorded: Path) -> None:
    with endpoint(lambda asked, chance: speaks(1)({**asked, "max_tokens": 12}, chance)) as served:
        more = ("--set", "max_tokens=null", "--set", "max_completion_tokens=64", "--calls", "4")
        audit(served, recorded, *more)
    assert {"max_tokens", "max_completion_tokens"} & set(served.asked[0]) == {"max_completion_tokens"}
