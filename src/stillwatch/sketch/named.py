"""Template keys and fill hashes as text, for a log from which prompts were dropped, and back.

A name holds the key itself and a word that tells the secret it was made with. Read back under the same secret it is the
same key, so that such rows and rows that still have their prompts count as one template. Under another secret, or made
by another program, it is a text like any other and is hashed.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.sketch.text import Hashes, SketchKey, hash_strings


def name_keys(keys: Hashes, key: SketchKey) -> pa.Array:
    """Return the names of keys; 0, which stands for none, is null."""
    prefix, digits = _prefix(key), keys.astype(">i8").tobytes().hex()
    names = [prefix + digits[at : at + 16] for at in range(0, len(digits), 16)]
    return pa.array(names, pa.string(), mask=np.asarray(keys == 0))


def keys_of(names: pa.Array, key: SketchKey) -> Hashes:
    """Return the keys that names stand for; a name made elsewhere gives its hash, null gives 0."""
    texts = names.cast(pa.string())
    keys = hash_strings(texts, key)
    own = pc.fill_null(pc.match_substring_regex(texts, f"^{_prefix(key)}[0-9a-f]{{16}}$"), False)
    mine = own.to_numpy(zero_copy_only=False)
    if mine.any():
        digits = "".join(name[-16:] for name in texts.filter(own).to_pylist())
        keys[mine] = np.frombuffer(bytes.fromhex(digits), ">i8").astype(np.int64)
    return keys


def _prefix(key: SketchKey) -> str:
    check = SketchKey.from_secret(f"names {key.low:x} {key.high:x}".encode()).low & 0xFFFF_FFFF
    return f"sw1-{check:08x}-"
