"""Kernels on their way to the workers, and mergeable states on their way back.

A kernel may carry a count sketch of hundreds of megabytes. Its large arrays travel as broadcast variables: once to each
worker, and loaded once by each of its Python processes, however many tasks those run.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

LARGE = 1 << 20  # bytes; smaller arrays travel with the task
CHUNK = 4 << 20  # bytes of a state in one row
CODEC = "lz4"
STATES = pa.schema(
    [("state", pa.int64()), ("chunk", pa.int64()), ("chunks", pa.int64()), ("size", pa.int64()), ("data", pa.binary())]
)


@dataclass(frozen=True, slots=True)
class Parcel:
    """A packed kernel: its pickle, and its large arrays as broadcast variables."""

    pickled: bytes
    arrays: tuple[Any, ...]

    def open(self) -> Any:
        """Return the kernel."""
        return pickle.loads(self.pickled, buffers=[array.value for array in self.arrays])


def pack(kernel: Any, dump: Callable[..., bytes], broadcast: Callable[[bytearray], Any]) -> Parcel:
    """Pack a kernel. `dump` pickles functions too; `broadcast` sends a large array to the workers."""
    arrays: list[Any] = []

    def take(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes >= LARGE:
            arrays.append(broadcast(bytearray(raw)))  # no bytes: kernels are compiled for arrays that may be written
        return raw.nbytes < LARGE

    pickled = dump(kernel, protocol=5, buffer_callback=take)
    return Parcel(pickled, tuple(arrays))


def write_state(state: Any, number: int) -> Iterator[pa.RecordBatch]:
    """Yield a state as rows of at most CHUNK bytes each, one a batch."""
    plain = pickle.dumps(state, protocol=5)
    data = pa.compress(plain, codec=CODEC, asbytes=True)
    chunks = -(-len(data) // CHUNK)
    for chunk in range(chunks):
        part = data[chunk * CHUNK : (chunk + 1) * CHUNK]
        yield pa.record_batch([[number], [chunk], [chunks], [len(plain)], [part]], schema=STATES)


def read_states(rows: Iterable[tuple[int, int, int, int, bytes]]) -> Iterator[Any]:
    """Yield states from their rows, which come state by state and in the order of chunks: one is held at a time."""
    parts: list[bytes] = []
    for _, chunk, chunks, size, data in rows:
        parts.append(bytes(data))
        if chunk + 1 == chunks:
            yield pickle.loads(pa.decompress(b"".join(parts), size, codec=CODEC, asbytes=True))
            parts = []


def merge_all(states: Iterable[Any]) -> Any | None:
    """Merge states into the first; None where there are none."""
    merged = None
    for state in states:
        if merged is None:
            merged = state
        else:
            merged.merge(state)
    return merged
