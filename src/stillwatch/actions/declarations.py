"""Reads the registry of declared uses: YAML, one entry for each use that somebody declared and somebody accepted."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from stillwatch.actions.access import Declared
from stillwatch.actions.marked_yaml import Problem, parse, read_text
from stillwatch.actions.policy_rows import Row
from stillwatch.model import InputRefused


class DeclaredRow(Row):
    """One entry: who, what for, and until which day, which it includes."""

    use: Annotated[str, Field(min_length=1)]
    account: str = ""
    organisation: str = ""
    until: dt.date | None = None


class DeclaredFile(Row):
    """The whole file."""

    declared: list[DeclaredRow]


def read_declared(path: str | Path) -> tuple[Declared, ...]:
    """Return the declared uses of a file. Raises InputRefused with a line for each thing that is wrong with it."""
    marked = parse(read_text(Path(path)))
    problems = list(marked.problems)
    uses: list[Declared] = []
    try:
        for at, row in enumerate(DeclaredFile.model_validate(marked.data).declared):
            if not (row.account or row.organisation):
                line = marked.line(("declared", at))
                problems.append(Problem(line, "names nobody; add account: or organisation:"))
            uses.append(Declared(row.use, row.account, row.organisation, _end(row.until)))
    except ValidationError as error:
        for each in error.errors(include_url=False, include_input=False):
            where = ": ".join(str(step) for step in each["loc"]) or "the file"
            problems.append(Problem(marked.line(tuple(each["loc"])), f"{where}: {each['msg'].lower()}"))
    if problems:
        raise InputRefused("\n".join(problem.told(str(path)) for problem in sorted(set(problems))))
    return tuple(uses)


def _end(day: dt.date | None) -> float | None:
    if day is None:
        return None
    return dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), dt.UTC).timestamp()
