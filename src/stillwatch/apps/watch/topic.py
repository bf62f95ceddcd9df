"""A Kafka topic. Offsets are kept in the watcher's own state, so that they cannot get ahead of what was kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from stillwatch.apps.watch.sources import Batch, Position, SourceLost, Tell
from stillwatch.ingest.sources import NDJSON, Origin
from stillwatch.model import InputRefused, UsageError

SCHEME = "kafka://"


def _open(brokers: str, topic: str) -> AbstractContextManager[Any]:
    return import_module("stillwatch.ingest.kafka").Topic(brokers, topic)


@dataclass
class Topic:
    """One topic, all partitions, each message one exchange in JSON (or several lines of them)."""

    name: str
    scratch: Path
    columns: tuple[str, ...]
    tell: Tell = lambda _: None
    open_: Callable[[str, str], AbstractContextManager[Any]] = _open

    def sweep(self, position: Position, _now: int, /) -> Iterator[Batch]:
        """Yield the messages of every partition up to the marks of this moment."""
        brokers, _, topic = self.name.removeprefix(SCHEME).partition("/")
        if not (brokers and topic):
            raise UsageError(f"{self.name}: expected kafka://HOST:PORT/TOPIC, several hosts parted by commas")
        try:
            with self.open_(brokers, topic) as opened:
                offsets = {int(number): offset for number, offset in position.get("offsets", {}).items()}
                for each in opened.read(offsets or opened.beginning()):
                    yield from self._batch(topic, each)
        except InputRefused as error:
            raise SourceLost(str(error)) from error

    def read_until(self, now: int, /) -> int:
        """A topic is read to the marks that stood after the sweep began."""
        return now

    def unsettled(self) -> bool:
        """A message is whole."""
        return False

    def _batch(self, topic: str, read: Any) -> Iterator[Batch]:
        label = f"{topic}/{read.partition}"
        position = {"offsets": {str(number): offset for number, offset in sorted(read.offsets.items())}}
        path = self.scratch / f"partition-{read.partition}.ndjson"
        path.write_bytes(read.lines)

        def after(refused: Mapping[str, str]) -> Position:
            for mend in refused.values():
                self.tell(f"{label}: messages before offset {read.offsets[read.partition]} were left out: {mend}")
            return position

        try:
            yield Batch((Origin(label, path, NDJSON, columns=self.columns),), after, {label: read.places})
        finally:
            path.unlink(missing_ok=True)
