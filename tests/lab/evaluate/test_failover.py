"""A second pool is stopped at its first request, and no innocent is, by the decider and the watcher of the gateway."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from stillwatch.lab.compose import Request, compose
from stillwatch.lab.evaluate.failover import Replayed, replay
from stillwatch.lab.evaluate.live import Sent
from stillwatch.lab.evaluate.tables import load
from stillwatch.lab.export import write_traffic
from stillwatch.lab.truth import read_truth

SMALL = Request(
    20_000, 1_500, seed=321, split="report", scenarios=("b_agentic", "g_failover", "i_replay"), attack_share=1.0
)


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    folder = tmp_path_factory.mktemp("failover")
    write_traffic(compose(SMALL), folder / "log")
    return replay(load(folder / "log"), read_truth(folder / "log" / "labels"), folder, hours=(6, 48))


def innocent(replayed: Replayed, *classes: str) -> list[Sent]:
    """Requests of innocents after the ban, of look-alike classes where any are named."""
    truth = replayed.truth
    late = [one for one in replayed.sent if one.ts >= replayed.ban and truth.innocent(one.account_id)]
    return [one for one in late if not classes or truth.lookalike.get(one.account_id) in classes]


def first_requests(sent: Sequence[Sent]) -> list[Sent]:
    first: dict[str, Sent] = {}
    for one in sent:
        first.setdefault(one.account_id, one)
    return list(first.values())


@pytest.mark.slow
def test_a_new_account_that_goes_on_with_a_known_campaign_is_decided_on_its_first_request(replayed: Replayed) -> None:
    pool = [one for one in replayed.sent if one.account_id in replayed.second and one.ts >= replayed.ban]
    first = first_requests(pool)
    assert len(first) >= 30
    assert all(one.attributes.match_content for one in first)
    assert all(one.refused for one in first)


@pytest.mark.slow
def test_at_most_one_in_a_hundred_of_the_second_pools_exchanges_leaks(replayed: Replayed) -> None:
    second = replayed.counts()["second"]
    assert second["exchanges"] > 300
    assert second["leaked"] <= 0.01 * second["exchanges"]


@pytest.mark.slow
def test_no_innocent_is_refused_and_no_stranger_to_a_campaign_matches_two_of_its_families(replayed: Replayed) -> None:
    sent = innocent(replayed)
    assert len(sent) > 5_000
    assert len({replayed.truth.lookalike.get(one.account_id) for one in sent}) > 20
    assert [one for one in sent if one.refused] == []
    strangers = [one for one in sent if not one.attributes.member]
    assert len(strangers) > 0.98 * len(sent)
    assert [one for one in strangers if one.attributes.match_families > 1] == []


@pytest.mark.slow
def test_what_the_detector_wrongly_suspects_in_a_window_is_never_called_distillation(replayed: Replayed) -> None:
    """In this small log one window takes a class that fills a worksheet for a suspect; the live path inherits that."""
    verdicts = {one.attributes.verdict for one in innocent(replayed)}
    assert verdicts <= {"clear", "watch", "suspect"}


@pytest.mark.slow
def test_a_customer_whose_template_is_copied_is_not_matched_by_it(replayed: Replayed) -> None:
    framed = innocent(replayed, "framed")
    assert len(framed) > 20
    assert not any(one.attributes.match_content for one in framed)


@pytest.mark.slow
def test_strangers_with_one_tool_one_network_or_one_template_are_not_matched(replayed: Replayed) -> None:
    crowds = innocent(replayed, "agent-tool", "template-tool", "campus", "vpn", "starter-kit", "benchmark-harness")
    assert len(crowds) > 1_000
    assert not any(one.attributes.match_families for one in crowds)
    assert {one.attributes.verdict for one in crowds} <= {"clear", "watch"}


@pytest.mark.slow
def test_a_person_who_moves_a_conversation_to_another_account_is_not_matched_by_its_handles(replayed: Replayed) -> None:
    movers = innocent(replayed, "moved-conversation")
    assert movers
    assert not any(one.attributes.match_artefact for one in movers)
