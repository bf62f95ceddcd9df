"""A processor for vLLM that marks flagged requests only.

`vllm serve … --logits-processors stillwatch.provenance.watermark.vllm:Marking`. It is written against vLLM's V1
interface (`vllm.v1.sample.logits_processor`), which newer versions keep beside that of their second model runner, and
it was not run in vLLM: what it computes is tested, how vLLM calls it is not. A request is marked where `vllm_xargs`
holds `stillwatch_mark`, the id of a key that the server was started with; keys never travel in requests.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import numpy as np

from stillwatch.model import InputRefused, UsageError
from stillwatch.provenance.watermark.marks import KeyedHash
from stillwatch.provenance.watermark.needed import needed

ARGUMENT = "stillwatch_mark"
KEYS = "STILLWATCH_MARK_KEYS"  # a file: {"id": "hexadecimal key", …}
BIAS = 2.0


class Rows:
    """Which rows of a batch are marked, and under which key: the part that needs no framework."""

    def __init__(self, keys: MutableMapping[str, bytes]) -> None:
        self._keys = keys
        self._rows: dict[int, tuple[KeyedHash, Any]] = {}  # row → mark, and its running output, which vLLM extends

    def add(self, row: int, named: str | None, output: Any) -> None:
        """Take up a request in a row; one that names no key is left alone. Raises ValueError for an unknown key."""
        self._rows.pop(row, None)
        if named is None:
            return
        if named not in self._keys:
            raise ValueError(f"{ARGUMENT} names a key that this server does not have")
        self._rows[row] = (KeyedHash(self._keys[named]), output)

    def remove(self, row: int) -> None:
        """Forget the request of a row."""
        self._rows.pop(row, None)

    def move(self, source: int, target: int, swap: bool) -> None:
        """Follow a request to another row."""
        there, here = self._rows.pop(target, None), self._rows.pop(source, None)
        if here is not None:
            self._rows[target] = here
        if swap and there is not None:
            self._rows[source] = there

    def favoured(self, vocabulary: int) -> dict[int, np.ndarray[Any, Any]]:
        """Return for each marked row that has a context the tokens to favour: (vocabulary,) bool."""
        found = {}
        for row, (mark, output) in self._rows.items():
            if len(output) >= mark.width:
                found[row] = mark.lists(np.array([output[-mark.width :]]), vocabulary)[0]
        return found


def read_keys(path: str | Path) -> dict[str, bytes]:
    """Read the keys that a server marks under. Raises InputRefused, which shows none."""
    try:
        told = json.loads(Path(path).read_text(encoding="utf-8"))
        return {str(name): bytes.fromhex(each) for name, each in told.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        raise InputRefused(f"{path}: expected JSON with an id and a hexadecimal key for each mark") from None


@functools.cache
def processor() -> type[Any]:
    """Return the class that vLLM loads. Raises MissingDependency without vLLM."""
    base: Any = needed("vllm.v1.sample.logits_processor").LogitsProcessor

    class Marking(base):
        """Adds a bias to favoured tokens of marked requests."""

        def __init__(self, vllm_config: Any, device: Any, is_pin_memory: bool) -> None:
            del vllm_config, is_pin_memory
            path = os.environ.get(KEYS)
            if not path:
                raise UsageError(f"{KEYS} is not set: give a file of keys")
            self._rows, self._device = Rows(read_keys(path)), device

        @classmethod
        def validate_params(cls, sampling_params: Any) -> None:
            """Refuse an argument that is no text."""
            named = (sampling_params.extra_args or {}).get(ARGUMENT)
            if named is not None and not isinstance(named, str):
                raise ValueError(f"{ARGUMENT} is the id of a key")

        def is_argmax_invariant(self) -> bool:
            """Return False: a bias can change which token is the likeliest."""
            return False

        def update_state(self, batch_update: Any) -> None:
            """Follow the requests of a batch: removed, added, moved, in this order."""
            if batch_update is None:
                return
            for row in batch_update.removed:
                self._rows.remove(row)
            for row, told, _, output in batch_update.added:
                self._rows.add(row, (told.extra_args or {}).get(ARGUMENT) if told else None, output)
            for source, target, how in batch_update.moved:
                self._rows.move(source, target, how.name == "SWAP")

        def apply(self, logits: Any) -> Any:
            """Return logits with the bias added: (requests, vocabulary)."""
            torch = needed("torch")
            for row, mask in self._rows.favoured(logits.shape[-1]).items():
                logits[row] += BIAS * torch.as_tensor(mask, device=logits.device, dtype=logits.dtype)
            return logits

    return Marking


def __getattr__(name: str) -> Any:
    """Make `Marking` when vLLM asks for it; without vLLM this module can still be imported and tested."""
    if name == "Marking":
        return processor()
    raise AttributeError(name)
