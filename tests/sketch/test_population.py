"""Accounts are summed up exactly, whatever the order of the log."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.ingest.engine import Engine
from stillwatch.ingest.read import read_exchanges
from stillwatch.sketch.exchanges import SketchedExchanges, sketch_exchanges
from stillwatch.sketch.population import DAY_US, HOUR_US, NEVER, Population
from stillwatch.sketch.templates import TemplateCounts, key_prompts
from tests.sketch.small import KEY, MIDNIGHT_US, at, exchange, read, table

ROWS = [
    exchange(0, "b", 0, turns=1, input_tokens=10, output_tokens=95, max_tokens=100, ip="192.0.2.1", asn=1, status=200),
    exchange(1, "b", 61, turns=5, input_tokens=20, output_tokens=10, max_tokens=100, ip="192.0.2.9", asn=2, status=403),
    exchange(2, "b", 60 * 24 + 5, turns=2, output_tokens=90, max_tokens=100, ip="192.0.2.1", asn=2, status=429),
    exchange(3, "a", 10, turns=1, input_tokens=7, ip="2001:db8:1::5", asn=3, tls_fingerprint="ja4", user_agent="sdk"),
    exchange(4, "a", 20, model="m-2", turns=1, ip="192.0.2.1", asn=3, tls_fingerprint="ja4", user_agent="sdk"),
    exchange(5, "c", 30, template_key=None, fill_hash=None, turns=1, tls_fingerprint="ja4", user_agent="web"),
]
ACCOUNTS = [
    {
        "account_id": "a",
        "created_at": at(-60),
        "payment_fingerprint": "card",
        "email_domain": "x.example",
        "plan": "pro",
    },
    {"account_id": "c", "created_at": at(-90), "payment_fingerprint": "card", "suspended_at": at(40), "org_id": "firm"},
    {"account_id": "unseen", "created_at": at(0), "payment_fingerprint": "card"},
]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    with read(tmp_path_factory.mktemp("engine"), ROWS, ACCOUNTS) as made:
        yield made


def test_accounts_come_in_order_of_their_ids(small):
    assert small.population.ids.to_pylist() == ["a", "b", "c"]


def test_adds_up_what_an_account_used(small):
    used = {
        name: small.used("b", name) for name in ("exchanges", "input_tokens", "output_tokens", "saturated", "denied")
    }
    assert used == {"exchanges": 3, "input_tokens": 30, "output_tokens": 195, "saturated": 2, "denied": 2}


def test_counts_an_exchange_of_at_most_two_messages_as_single_turn(small):
    assert [small.used(account, "single") for account in "abc"] == [2, 2, 1]


def test_knows_first_and_last_and_the_first_refusal(small):
    assert small.used("b", "first_ts") == MIDNIGHT_US
    assert small.used("b", "last_ts") == MIDNIGHT_US + DAY_US + 5 * 60_000_000
    assert small.used("b", "first_denied") == MIDNIGHT_US + 61 * 60_000_000
    assert small.used("a", "first_denied") == NEVER


def test_the_first_day_is_the_accounts_own(small):
    assert [small.used(account, "first_day") for account in "abc"] == [2, 2, 1]


def test_counts_distinct_networks_clients_and_hours(small):
    assert [small.used(account, "asns") for account in "abc"] == [1, 2, 0]
    assert [small.used(account, "stacks") for account in "abc"] == [1, 0, 1]
    assert [small.used(account, "active_hours") for account in "abc"] == [1, 3, 1]


def test_the_clock_holds_every_exchange(small):
    population = small.population
    assert population.clock.sum(axis=1).tolist() == population.usage["exchanges"].tolist()
    assert population.clock[small.row("b"), [0, 1]].tolist() == [2, 1]


def test_edges_hold_each_value_once_with_its_number_of_accounts(small):
    edges = small.population.edges["ip"]
    shown = {edges.labels[int(code)].as_py(): int(edges.degree[code]) for code in edges.value}
    assert shown == {"192.0.2.1": 2, "192.0.2.9": 1, "2001:db8:1::5": 1}
    assert np.diff(edges.start).tolist() == [2, 2, 0]


def test_prefixes_are_24_bits_of_v4_and_48_of_v6(small):
    edges = small.population.edges["prefix"]
    assert sorted(set(edges.labels.to_pylist())) == ["192.0.2", "2001:db8:1"]


def test_an_account_without_a_system_prompt_shares_none(tmp_path):
    rows = [exchange(at, f"a{at}", at, system_prompt=text) for at, text in enumerate(["Be brief.", "Be brief.", None])]
    with read(tmp_path, rows) as three:
        edges = three.population.edges["system_key"]
        assert (edges.account.tolist(), edges.degree.tolist()) == ([0, 1], [2])


def test_account_attributes_become_edges_of_the_accounts_that_are_seen(small):
    edges = small.population.edges["payment_fingerprint"]
    assert edges.account.tolist() == [small.row("a"), small.row("c")]
    assert edges.degree.tolist() == [2]  # not the account that never came


def test_what_the_account_table_lacks_is_not_known(small):
    population = small.population
    assert population.created_at.tolist() == [MIDNIGHT_US - HOUR_US, NEVER, MIDNIGHT_US - 90 * 60_000_000]
    assert population.suspended_at.tolist() == [NEVER, NEVER, MIDNIGHT_US + 40 * 60_000_000]
    assert population.words["org_id"].tolist() == [None, None, "firm"]


def test_a_column_that_the_input_lacks_has_no_edges_and_is_not_present(small):
    assert "phone_hash" not in small.population.edges
    assert "phone_hash" not in small.population.present
    assert {"ip", "payment_fingerprint"} <= small.population.present


def test_atoms_leave_out_exchanges_without_a_frame(small):
    atoms = small.population.atoms
    assert atoms.account.tolist() == [0, 1]
    assert atoms.sums["exchanges"].tolist() == [2, 3]
    assert len(set(atoms.frame.tolist())) == 1


def test_model_days_count_everyone(small):
    day = MIDNIGHT_US // DAY_US
    assert small.population.model_days == {("m-1", day): 4, ("m-2", day): 1, ("m-1", day + 1): 1}


def test_an_artefact_that_comes_back_to_its_own_account_is_no_replay(tmp_path):
    rows = [
        exchange(0, "a", 0, artefacts_out=["h1", "h2"], artefacts_in=[]),
        exchange(1, "a", 1, artefacts_out=[], artefacts_in=["h1"]),
        exchange(2, "b", 2, artefacts_out=[], artefacts_in=["h1", "h2"]),
        exchange(3, "b", 3, artefacts_out=["h3"], artefacts_in=["h1", "unknown"]),
    ]
    with read(tmp_path, rows) as small:
        replays = small.population.replays
        assert (replays.minted.tolist(), replays.submitted.tolist(), replays.times.tolist()) == ([0], [1], [3])
        assert replays.cites == ("e00002",)


def test_an_account_that_is_not_a_word_of_letters_keeps_its_name(tmp_path):
    rows = [exchange(number, name, number) for number, name in enumerate(["ж", "a b", "0", "'; drop"])]
    with read(tmp_path, rows) as small:
        assert small.population.ids.to_pylist() == sorted(["ж", "a b", "0", "'; drop"])


def plain(population: Population) -> dict[str, object]:
    """Everything that a population says, in a form that compares."""
    atoms, replays = population.atoms, population.replays
    edges = {}
    for kind, own in population.edges.items():
        shown = own.labels.take(pa.array(own.value)).to_pylist()
        edges[kind] = sorted(zip(own.account.tolist(), shown, own.degree[own.value].tolist(), strict=True))
    return {
        "ids": population.ids.to_pylist(),
        "usage": {name: values.tolist() for name, values in population.usage.items()},
        "clock": population.clock.tolist(),
        "edges": edges,
        "atoms": [atoms.account.tolist(), atoms.frame.tolist(), *(values.tolist() for values in atoms.sums.values())],
        "days": population.model_days,
        "replays": (replays.minted.tolist(), replays.times.tolist(), replays.cites),
        "span": (population.start, population.end),
    }


def log_with_text() -> list[dict[str, object]]:
    """Two scripts and a few people: prompts as they come."""
    chance = random.Random(5)
    words = [
        f"{chance.choice('bdfgklmnprst')}{chance.choice('aeiou')}{chance.choice('bdfgklmnprst')}o" for _ in range(400)
    ]
    rows = []
    for number in range(400):
        account, script = f"a{number % 20:02d}", number % 4
        fill = " ".join(chance.choices(words, k=12))
        frames = [
            f"Solve the following problem and write down every step before you answer: {fill}. Give the result last.",
            f"Translate this sentence into formal German and explain each choice that you made: {fill}",
        ]
        text = frames[script] if script < 2 else " ".join(chance.choices(words, k=20))
        other = {"template_key": None, "fill_hash": None, "prompt": text, "ip": f"192.0.2.{number % 20}", "turns": 1}
        rows.append(exchange(number, account, number * 7, **other))
    return [{name: value for name, value in row.items() if name not in ("template_key", "fill_hash")} for row in rows]


def test_order_of_rows_has_no_effect(tmp_path):
    rows = log_with_text()
    mixed = rows.copy()
    random.Random(9).shuffle(mixed)
    with read(tmp_path, rows, ACCOUNTS) as one, read(tmp_path, mixed, ACCOUNTS) as other:
        assert plain(one.population) == plain(other.population)


def test_two_windows_with_merged_counts_are_sketched_like_one_batch(tmp_path):
    """Each window is counted alone; the sum of both keys every prompt as one pass over the whole log does."""
    rows = log_with_text()
    half = len(rows) // 2
    with Engine(tmp_path) as engine:
        whole, learned = sketch_exchanges(engine, read_exchanges(table(rows), engine), KEY)
        keyed = _keys(engine, whole)
        merged = TemplateCounts(KEY)
        for window in (rows[half:], rows[:half]):
            part = TemplateCounts(KEY)
            part.fold(pa.array([row["prompt"] for row in window]))
            merged.merge(part)
        assert (merged.counters == learned.prompts.counters).all()
        found = key_prompts(merged, pa.array([row["prompt"] for row in rows]))
        assert keyed == list(zip(found.template_key.tolist(), found.fill_hash.tolist(), strict=True))
        assert len({template for template, _ in keyed} - {0}) == 2


def _keys(engine: Engine, sketched: SketchedExchanges) -> list[tuple[int, int]]:
    rows = engine.arrow(sketched.table.select("exchange_id", "template_key", "fill_hash").order_by("exchange_id"))
    return list(zip(rows["template_key"].to_pylist(), rows["fill_hash"].to_pylist(), strict=True))


def test_no_prompt_text_leaves_the_sketch(tmp_path):
    with read(tmp_path, log_with_text()) as small:
        assert not {"prompt", "system_prompt", "response"} & set(small.exchanges.table.columns)
