"""Who writes what stands in place of reasoning: a rule of ours, or a function of the deployment's own."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping
from typing import Protocol

from stillwatch.apps.gateway.apis.reformulating import reformulate
from stillwatch.apps.gateway.apis.summarising import summarise
from stillwatch.model import UsageError

logger = logging.getLogger("stillwatch.gateway")


class Rewriter(Protocol):
    """Writes something else in place of a piece of reasoning. It runs within the answer, so it must be fast."""

    def __call__(self, text: str, /) -> str:
        """Return what the client gets. Where it raises, or returns no text, the rule of ours is used."""


RULES: Mapping[str, Rewriter] = {"summary": summarise, "reformulated": reformulate}


def rewriters(named: Mapping[str, str] | None = None) -> Mapping[str, Rewriter]:
    """Return what writes `summary` and `reformulated`: of `module:function` where one is named, else our rules.

    Raises UsageError for a name that leads to no function.
    """
    given = {kind: name for kind, name in (named or {}).items() if name}
    return {kind: _guarded(_found(given[kind]), rule) if kind in given else rule for kind, rule in RULES.items()}


def _found(name: str) -> Rewriter:
    module, _, function = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(f"{name}: leads to no function ({type(error).__name__}); write module:function") from error
    if not callable(found):
        raise UsageError(f"{name}: is no function; write module:function")
    made: Rewriter = found
    return made


def _guarded(given: Rewriter, rule: Rewriter) -> Rewriter:
    """A deployment's function may fail; raw reasoning must not pass because it does."""

    def rewrite(text: str, /) -> str:
        try:
            made = given(text)
        except Exception as error:
            logger.error("rewriter-failed", extra={"kind": type(error).__name__})
            return rule(text)
        return made if isinstance(made, str) else rule(text)

    return rewrite
