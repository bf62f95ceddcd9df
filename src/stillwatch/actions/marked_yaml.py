"""YAML that people write and review: plain data with the line of everything, and nothing that hides or surprises.

Keys that stand twice, aliases (which can unfold into gigabytes) and tags are refused: what is read is what is seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stillwatch.model import InputRefused, MissingDependency

try:
    import yaml
except ImportError:
    raise MissingDependency("policies need PyYAML; pip install 'stillwatch[gateway]'") from None

LARGEST = 1 << 20  # bytes; a file that people review is smaller
KINDS = ("map", "seq", "str", "int", "float", "bool", "null", "timestamp")  # what plain YAML holds
TAGS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in KINDS)
Place = tuple[str | int, ...]  # keys and positions from the top of the file


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong with a file: the line, what and where it is, and the mend."""

    line: int
    what: str

    def told(self, name: str) -> str:
        """Return it as one line of a message."""
        return f"{name}:{self.line}: {self.what}"


@dataclass(frozen=True, slots=True)
class Marked:
    """A file's plain data, the line of each place in it, and what was wrong so far."""

    data: Any
    lines: dict[Place, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, place: Place) -> int:
        """Return the line of a place, or of the nearest one around it that stands in the file."""
        at: Place = ()
        for step in place:
            at = (*at, step) if (*at, step) in self.lines else at
        return self.lines.get(at, 1)


class _Loader(yaml.SafeLoader):
    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="an alias hides what is meant; write it out", problem_mark=mark)
        return super().compose_node(parent, index)


def read_text(path: Path) -> str:
    """Read a file that people write. Raises InputRefused where it cannot be read as UTF-8 of a sensible size."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputRefused(f"{path}: cannot be read ({error.strerror or type(error).__name__})") from None
    if len(data) > LARGEST:
        raise InputRefused(f"{path}: is larger than {LARGEST >> 20} MiB; split it, or give the right file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputRefused(f"{path}: is not UTF-8 at byte {error.start}; save it as UTF-8") from None


def parse(text: str) -> Marked:
    """Return the data of one YAML document with its lines; what is wrong with it as YAML is among the problems."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        marked = Marked(None)
        data = None if node is None else _plain(loader, node, (), marked)
        return Marked(data, marked.lines, marked.problems)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return Marked(
            None, problems=[Problem(mark.line + 1 if mark else 1, f"not YAML as it should be: {_said(error)}")]
        )
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        return Marked(None, problems=[Problem(1, f"cannot be read as YAML ({type(error).__name__}); write it plainly")])
    finally:
        loader.dispose()


def _said(error: yaml.MarkedYAMLError) -> str:
    return " ".join(f"{part}" for part in (error.context, error.problem) if part)


def _plain(loader: _Loader, node: yaml.Node, place: Place, marked: Marked) -> Any:
    marked.lines.setdefault(place, node.start_mark.line + 1)
    if node.tag not in TAGS:
        raise yaml.MarkedYAMLError(problem=f"the tag {node.tag} has no place here", problem_mark=node.start_mark)
    if isinstance(node, yaml.MappingNode):
        return dict(_pairs(loader, node, place, marked))
    if isinstance(node, yaml.SequenceNode):
        return [_plain(loader, each, (*place, at), marked) for at, each in enumerate(node.value)]
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        marked.lines[(*place, "text")] = node.start_mark.line + 2  # a block's text begins on the next line
    return loader.construct_object(node, deep=True)


def _pairs(loader: _Loader, node: yaml.MappingNode, place: Place, marked: Marked) -> Iterator[tuple[str, Any]]:
    seen: dict[str, int] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = loader.construct_object(key_node) if isinstance(key_node, yaml.ScalarNode) else None
        if not isinstance(key, str):
            marked.problems.append(
                Problem(line, f"{key!r} cannot be a key; expected a word (quote yes, no, on and off)")
            )
            continue
        if key in seen:
            marked.problems.append(Problem(line, f"'{key}' stands here and on line {seen[key]}; keep one of them"))
            continue
        seen[key] = line
        marked.lines[(*place, key)] = line
        yield key, _plain(loader, value_node, (*place, key), marked)
