from __future__ import annotations

import csv
import io
import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.ingest.split import gather, invalid_utf8, split_csv

VALUES = st.text(alphabet=st.sampled_from(list('ab,"\n é再')), max_size=8)


@settings(max_examples=200, deadline=None)
@given(rows=st.lists(st.tuples(VALUES, VALUES, VALUES), max_size=8), cut=st.integers(0, 400))
def test_what_the_csv_module_writes_is_read_back_however_it_is_cut(rows: list[tuple[str, ...]], cut: int) -> None:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    data = out.getvalue().encode()
    got, at, line = [], 0, 1
    for end, patience in ((min(cut, len(data)), 1 << 20), (len(data), 0)):
        buf = np.frombuffer(data[at:end], np.uint8)
        starts, ends, _, bad, used, line = split_csv(buf, 3, ord(","), line, patience)
        assert not bad
        offsets, raw = gather(buf, starts, ends)
        values = [raw[a:b].tobytes().decode() for a, b in itertools.pairwise(offsets)]
        got += [tuple(values[k : k + 3]) for k in range(0, len(values), 3)]
        at += used
    assert got == rows
    assert line == 1 + data.count(b"\n")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=6), st.text(max_size=6).map(str.encode)), max_size=6))
def test_utf8_is_judged_as_python_judges_it(pieces: list[bytes]) -> None:
    ends = np.cumsum([len(piece) for piece in pieces], dtype=np.int64)
    starts = np.append(np.zeros(1, np.int64), ends[:-1]) if pieces else ends
    wrong = invalid_utf8(np.frombuffer(b"".join(pieces), np.uint8), starts, ends)

    def fails(piece: bytes) -> bool:
        try:
            piece.decode()
        except UnicodeDecodeError:
            return True
        return False

    assert wrong.tolist() == [fails(piece) for piece in pieces]
