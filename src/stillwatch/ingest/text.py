"""Text files as a stream of bytes: unpacked, without byte order mark, a few MB at a time."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from stillwatch.ingest.sources import Origin
from stillwatch.model import InputRefused

CHUNK = 4 << 20
MAX_RECORD = 64 << 20  # one record larger than this is not a log; it would be held in memory whole
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
WHOLE_ROW = "<line>"  # the `field` of a rejection that concerns a whole row

DAMAGED = pa.schema([("row", pa.int64()), ("length", pa.int64()), ("mend", pa.string())])


def chunks(origin: Origin, size: int = CHUNK) -> Iterator[bytes]:
    """Yield the unpacked bytes of a text file, `size` at most at a time.

    Raises InputRefused, saying the mend, for a truncated or damaged archive, UTF-16, or a file that cannot be opened.
    """
    try:
        with pa.input_stream(str(origin.path), compression=origin.codec) as stream:
            first = True
            while block := stream.read(size):
                if first and block.startswith(UTF16):
                    raise InputRefused("is UTF-16; save it as UTF-8")
                yield block.removeprefix(codecs.BOM_UTF8) if first else block
                first = False
    except OSError as error:
        kind = f"is not a whole {origin.codec} archive (damaged or truncated)" if origin.codec else "cannot be read"
        raise InputRefused(f"{kind}: {_first_line(error)}; copy it again") from error


def text_array(data: bytes | np.ndarray, starts: np.ndarray, ends: np.ndarray) -> pa.Array:
    """Return adjacent slices of a buffer as a text column without copying; `ends[i]` must equal `starts[i + 1]`."""
    offsets = np.append(starts, ends[-1:]).astype(np.int32)
    return pa.StringArray.from_buffers(len(starts), pa.py_buffer(offsets), pa.py_buffer(data))


def damaged_rows(rows: np.ndarray, lengths: np.ndarray, mend: str) -> pa.Table:
    """Return rows that cannot be read at all: where they are and how long, never what they say."""
    return pa.table([pa.array(rows), pa.array(lengths), pa.array([mend] * len(rows), pa.string())], schema=DAMAGED)


def _first_line(error: OSError) -> str:
    return (str(error).splitlines() or ["unknown error"])[0][:120]
