from __future__ import annotations

import numpy as np
import pyarrow as pa

from stillwatch.sketch.named import keys_of, name_keys
from stillwatch.sketch.text import SketchKey, hash_strings

KEY, OTHER = SketchKey.from_secret(b"one"), SketchKey.from_secret(b"other")
KEYS = np.array([0, 1, -1, 77, (1 << 63) - 1, -(1 << 63)], np.int64)


def test_a_name_read_back_under_its_secret_is_the_key() -> None:
    names = name_keys(KEYS, KEY)
    assert names[0].as_py() is None
    assert keys_of(names, KEY).tolist() == KEYS.tolist()
    assert keys_of(names.slice(2, 3), KEY).tolist() == KEYS[2:5].tolist()


def test_under_another_secret_it_is_a_text_like_any_other() -> None:
    names = name_keys(KEYS, KEY)
    assert keys_of(names, OTHER).tolist() == hash_strings(names, OTHER).tolist()


def test_names_made_elsewhere_are_hashed() -> None:
    names = name_keys(KEYS[1:3], KEY).to_pylist()
    mixed = pa.array([names[0], "T1", None, names[1], names[0] + "0", names[0].upper(), ""])
    keys = keys_of(mixed, KEY)
    assert keys[[0, 3]].tolist() == KEYS[1:3].tolist()
    others = [1, 2, 4, 5, 6]
    assert keys[others].tolist() == hash_strings(mixed, KEY)[others].tolist()
    assert keys[2] == 0


def test_nothing_at_all_is_none() -> None:
    assert keys_of(pa.nulls(3), KEY).tolist() == [0, 0, 0]
    assert keys_of(pa.array([], pa.string()), KEY).tolist() == []
    assert name_keys(np.zeros(0, np.int64), KEY).to_pylist() == []
