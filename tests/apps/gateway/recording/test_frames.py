from __future__ import annotations

import random

import pytest

from stillwatch.apps.gateway.recording.frames import frame, unframe

MARK = b"\xf1\x07\x5a\x80"
RECORDS = (b"one", b"", b"three" * 40, MARK * 3, b"five")


def whole(records: tuple[bytes, ...] = RECORDS) -> bytes:
    return b"".join(frame(MARK, record) for record in records)


def test_what_was_written_is_read() -> None:
    found = unframe(MARK, whole())
    assert (found.records, found.damage, found.torn) == (RECORDS, (), 0)


def test_a_file_cut_anywhere_loses_only_the_record_that_it_was_cut_in() -> None:
    data, ends = whole(), [len(whole(RECORDS[:n])) for n in range(len(RECORDS) + 1)]
    for cut in range(len(data)):
        found = unframe(MARK, data[:cut])
        complete = max(n for n, end in enumerate(ends) if end <= cut)
        assert (found.records, found.damage, found.torn) == (RECORDS[:complete], (), cut - ends[complete])


def test_damage_to_any_byte_costs_one_record_and_is_set_aside_with_its_offset() -> None:
    data, ends = whole(), [len(whole(RECORDS[:n])) for n in range(len(RECORDS) + 1)]
    for at in range(ends[-2]):  # in the last record it may look like one that was never finished
        hurt = next(n for n, end in enumerate(ends[1:]) if at < end)
        broken = data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1 :]
        found = unframe(MARK, broken)
        assert found.records == RECORDS[:hurt] + RECORDS[hurt + 1 :], at
        assert [(each.offset, each.data) for each in found.damage] == [
            (ends[hurt], broken[ends[hurt] : ends[hurt + 1]])
        ]
        assert found.torn == 0


def test_damage_to_the_last_record_is_damage_when_the_record_is_all_there() -> None:
    data = whole()
    found = unframe(MARK, data[:-1] + bytes([data[-1] ^ 1]))
    assert found.records == RECORDS[:-1]
    assert [each.offset for each in found.damage] == [len(whole(RECORDS[:-1]))]


def test_a_frame_with_a_guessed_mark_inside_a_damaged_record_is_not_read() -> None:
    forged = frame(b"\xf1\x07\x5a\x81", b"forged")
    data = whole((b"a", b"xx" + forged, b"b"))
    at = len(frame(MARK, b"a")) + 13
    found = unframe(MARK, data[:at] + b"?" + data[at + 1 :])
    assert found.records == (b"a", b"b")


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_no_record(seed: int) -> None:
    noise = random.Random(seed).randbytes(3_000)
    assert unframe(MARK, noise).records == ()
    assert unframe(MARK, whole() + noise + whole()).records == RECORDS * 2
