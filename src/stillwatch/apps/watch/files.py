"""Files of a folder or a glob: NDJSON is followed while it grows, line by line; other files are read when complete."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from glob import has_magic
from pathlib import Path

from stillwatch.apps.watch.disk import FULL
from stillwatch.apps.watch.seen import Look, Seen, dump, fingerprint, is_open, load
from stillwatch.apps.watch.sources import Batch, Position, SourceLost, Tell
from stillwatch.ingest.sources import NDJSON, Origin, expand, origin_of
from stillwatch.ingest.text import MAX_RECORD
from stillwatch.model import InputRefused

SLICE = 32 << 20  # bytes of one batch, and of one piece of a file that grows
FILES = 200  # of one batch
SETTLED = 2_000_000  # µs without a change before a file that is not followed counts as complete
REMEMBERED = 7 * 86_400_000_000  # µs for which a file that is gone is known again when it comes back


@dataclass
class Files:
    """What a path, a folder or a glob names, now and later. Files are read in the order of their last change."""

    name: str
    scratch: Path
    columns: tuple[str, ...]  # that any line may have
    tell: Tell = lambda _: None
    _since: dict[str, tuple[Look, int]] = field(default_factory=dict)
    _unsettled: bool = False

    def sweep(self, position: Position, now: int, /) -> Iterator[Batch]:
        """Yield what is new in every file, up to its present size."""
        files = load(position)
        try:
            looks = self._look()
            files = self._recognise(files, looks, now)
            self._unsettled = False
            yield from self._batches(files, looks, now)
        except OSError as error:
            if error.errno in FULL:
                raise
            raise SourceLost(f"{self.name}: cannot be read ({error.strerror or type(error).__name__})") from error

    def read_until(self, now: int, /) -> int:
        """Files are read to what they held when the sweep began."""
        return now

    def unsettled(self) -> bool:
        """Whether a file was left for later because it changed a moment ago."""
        return self._unsettled

    def _look(self) -> list[Look]:
        if not Path(self.name).exists() and not has_magic(self.name):
            raise SourceLost(f"{self.name}: there is no such file or folder")
        try:
            origins, _ = expand(self.name)
        except InputRefused:
            return []
        looks = []
        for origin in origins:
            try:
                looks.append(Look.at(origin.label, origin.path))
            except FileNotFoundError:  # gone since it was listed
                continue
        return sorted(looks, key=lambda each: (each.changed, each.label))

    def _recognise(self, files: dict[str, Seen], looks: Sequence[Look], now: int) -> dict[str, Seen]:
        """Carry over what was read to the files of now: by name, or under a new name by inode."""
        by_inode = {each.inode: each for each in files.values()}
        found: dict[str, Seen] = {}
        taken: set[str] = set()
        for look in looks:
            for old in (files.get(look.label), by_inode.get(look.inode)):
                if old is not None and old.label not in taken and _same(old, look):
                    found[look.label] = old if old.unchanged(look) and old.label == look.label else old.moved_to(look)
                    taken.add(old.label)
                    break
        for look in looks:
            old = files.get(look.label)
            if old is not None and old.label not in taken and look.label not in found and old.offset:
                self.tell(f"{look.label}: shrank, or another file took its place; it is read from its start")
        for label, old in files.items():
            if label not in taken and label not in found:
                gone = now if old.gone is None else old.gone
                if now - gone < REMEMBERED and not any(look.label == label for look in looks):
                    found[label] = dataclasses.replace(old, gone=gone)
        return found

    def _batches(self, files: dict[str, Seen], looks: Sequence[Look], now: int) -> Iterator[Batch]:
        held: list[_Piece] = []
        for look in looks:
            for piece in self._pieces(look, files.get(look.label), now):
                held.append(piece)
                if sum(each.size for each in held) >= SLICE or len(held) >= FILES or piece.more:
                    yield from self._batch(files, held)
                    held = []
                    if files[look.label].refused is not None:
                        break
        yield from self._batch(files, held)

    def _batch(self, files: dict[str, Seen], pieces: list[_Piece]) -> Iterator[Batch]:
        if not pieces:
            return

        def after(refused: Mapping[str, str]) -> Position:
            for piece in pieces:
                before, files[piece.seen.label] = files.get(piece.seen.label), piece.seen
                mend = refused.get(piece.seen.label)
                if mend is not None and piece.origin.columns is not None:  # the file was good so far: only this piece
                    self.tell(f"{piece.seen.label}: lines {piece.line + 1} to {piece.seen.lines} are left out: {mend}")
                elif mend is not None:
                    if before is None or before.refused != mend:
                        self.tell(f"{piece.seen.label}: set aside: {mend}")
                    files[piece.seen.label] = dataclasses.replace(piece.seen, offset=0, lines=0, mark="", refused=mend)
            return dump(files.values())

        try:
            yield Batch(
                tuple(piece.origin for piece in pieces), after, {piece.seen.label: piece.line for piece in pieces}
            )
        finally:
            for piece in pieces:
                if piece.copied:
                    piece.origin.path.unlink(missing_ok=True)

    def _pieces(self, look: Look, seen: Seen | None, now: int) -> Iterator[_Piece]:
        if seen is not None and seen.unchanged(look) and (seen.refused is not None or seen.offset == look.size):
            return
        if is_open(look.label):
            yield from self._lines(look, seen)
        elif not self._complete(look, now):
            self._unsettled = True
        else:
            origin = origin_of(look.path)
            if origin is not None:
                whole = Seen(
                    look.label, look.inode, look.size, look.changed, look.size, 0, fingerprint(look.path, look.size)
                )
                yield _Piece(dataclasses.replace(origin, label=look.label), whole, 0, look.size)

    def _complete(self, look: Look, now: int) -> bool:
        before, since = self._since.get(look.label, (None, now))
        if before != look:
            self._since[look.label] = (look, since := now)
        return now - since >= SETTLED or now - look.changed // 1000 >= SETTLED

    def _lines(self, look: Look, seen: Seen | None) -> Iterator[_Piece]:
        offset, lines, mark = (seen.offset, seen.lines, seen.mark) if seen is not None else (0, 0, "")
        while offset < look.size:
            data = _whole_lines(look.path, offset, look.size)
            if not data:
                if look.size - offset > MAX_RECORD:
                    self.tell(
                        f"{look.label}: a line after line {lines} is longer than {MAX_RECORD >> 20} MiB; it waits"
                    )
                return
            first, before, until = offset == 0, lines, offset + len(data)
            reached = fingerprint(look.path, until)
            if not first and fingerprint(look.path, offset) != mark:  # cut short since it was looked at
                return
            path = self.scratch / f"{look.inode[1]}-{offset}.ndjson"
            path.write_bytes(data)
            offset, lines, mark = until, lines + data.count(b"\n"), reached
            read = Seen(look.label, look.inode, look.size, look.changed, offset, lines, mark)
            origin = Origin(look.label, path, NDJSON, columns=None if first else self.columns)
            yield _Piece(origin, read, before, len(data), copied=True, more=offset < look.size)


@dataclass(frozen=True, slots=True)
class _Piece:
    origin: Origin
    seen: Seen  # once it is kept
    line: int  # before its first
    size: int
    copied: bool = False
    more: bool = False  # the same file goes on in the next batch: a batch names a file once


def _same(old: Seen, look: Look) -> bool:
    """Whether a file of now is one that was read: it begins with what was read, and a whole one also ends there."""
    if old.unchanged(look):
        return True
    if old.refused is not None:
        return False
    return old.continues(look) and (is_open(look.label) or look.size == old.offset)


def _whole_lines(path: Path, start: int, stop: int) -> bytes:
    """Bytes from `start` up to the last line break before `stop`, a slice at most, but one line at least.

    A last line without a break counts when it is whole: an object that is closed cannot go on.
    """
    with path.open("rb") as stream:
        stream.seek(start)
        data = stream.read(min(stop - start, SLICE))
        if b"\n" not in data and len(data) == SLICE:
            data += stream.read(min(stop - start - SLICE, MAX_RECORD))
    cut = data.rfind(b"\n") + 1
    return data if start + len(data) == stop and _is_object(data[cut:]) else data[:cut]


def _is_object(line: bytes) -> bool:
    if not line.rstrip().endswith(b"}"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
