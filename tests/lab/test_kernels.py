"""Kernels and threads: what they make is what plain Python would make, in the same order."""

from __future__ import annotations

import ipaddress
import threading
from functools import partial

import numpy as np
import pytest

from stillwatch.lab.chance import mix
from stillwatch.lab.kernels import V6, code_values, order_by
from stillwatch.lab.networks import address_text, own_networks
from stillwatch.lab.workers import in_order


def test_addresses_are_written_in_the_canonical_form() -> None:
    sixes = np.flatnonzero(own_networks().base < 0).astype(np.uint64)
    draws = mix(np.arange(3_000))
    four = draws >> np.uint64(32)
    site = np.where(np.arange(3_000) % 3 == 0, np.uint64(0), draws & np.uint64(0xFFFFFFFFFF))  # runs of zero groups
    six = V6 | sixes[(draws % np.uint64(len(sixes))).astype(int)] << np.uint64(48) | site
    texts = address_text(np.concatenate([four, six])).to_pylist()
    assert texts == [str(ipaddress.ip_address(text)) for text in texts]
    assert texts[:5] == [str(ipaddress.IPv4Address(int(number))) for number in four[:5]]
    assert all(text.startswith("2a") for text in texts[3_000:])


def test_codes_give_back_every_value() -> None:
    values = mix(np.arange(20_000) % 4_321)
    codes, distinct = code_values(values)
    assert len(distinct) == 4_321
    assert (distinct[codes] == values).all()


def test_order_keeps_equal_keys_as_they_came() -> None:
    keys = (mix(np.arange(30_000)) % np.uint64(1 << 14)).astype(np.int64) << 27
    assert (order_by(keys) == np.argsort(keys, kind="stable")).all()


@pytest.mark.parametrize("helpers", [0, 1, 3])
def test_results_come_in_order_whatever_finishes_first(helpers: int) -> None:
    gate = threading.Event()

    def act(number: int) -> int:
        if helpers > 1 and number == 0:
            gate.wait(10)
        if number == 1:
            gate.set()
        return number

    assert list(in_order((partial(act, number) for number in range(9)), helpers)) == list(range(9))
