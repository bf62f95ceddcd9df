"""When each act began, what a person approved, and what a person took back: why an act of a rule ends.

Rules are stateless; that an act began, ran out, was approved or withdrawn is remembered here, in memory, and can be
handed to a database and back.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass

MOST = 1_000_000  # acts that began; beyond it the oldest is forgotten, or a flood of accounts would fill the memory
Key = tuple[str, str]  # rule, subject


@dataclass(frozen=True, slots=True)
class Act:
    """One rule acting on one account or one campaign. With `by_person`, a person approved it or took it back."""

    rule: str
    subject: str
    began: float
    by_person: bool = False
    approved_until: float = 0.0
    withdrawn: bool = False  # the rule leaves this subject alone


class Acts:
    """All acts of a deployment. Safe to call from several threads."""

    def __init__(self, acts: Iterable[Act] = ()) -> None:
        self._begun: dict[Key, Act] = {}
        self._people: dict[Key, Act] = {}  # never forgotten: what a person decided stands
        self._lock = threading.Lock()
        for act in acts:
            (self._people if act.by_person else self._begun)[act.rule, act.subject] = act

    @property
    def decided_by_people(self) -> bool:
        """Return whether a person approved or took back anything at all."""
        return bool(self._people)

    def begin(self, rule: str, subject: str, now: float) -> float:
        """Return when this act began: now, if it had not."""
        key = (rule, subject)
        act = self._people.get(key) or self._begun.get(key)
        if act is not None:
            return act.began
        with self._lock:
            self._begun[key] = Act(rule, subject, now)
            if len(self._begun) > MOST:
                del self._begun[next(iter(self._begun))]
        return now

    def withdrawn(self, rule: str, subject: str) -> bool:
        """Return whether a person took this act back."""
        act = self._people.get((rule, subject))
        return act is not None and act.withdrawn

    def approved(self, rule: str, subject: str, now: float) -> bool:
        """Return whether a person's approval of this act is in force."""
        act = self._people.get((rule, subject))
        return act is not None and now < act.approved_until

    def approve(self, rule: str, subject: str, until: float, now: float) -> Act:
        """Keep that a person approved: the act begins anew, and is in force until then."""
        return self._decide(Act(rule, subject, now, True, until))

    def withdraw(self, rule: str, subject: str, now: float) -> Act:
        """Keep that a person took an act back: the rule leaves this subject alone until someone approves it again."""
        return self._decide(Act(rule, subject, now, True, withdrawn=True))

    def all(self) -> tuple[Act, ...]:
        """Return every act that is remembered, to be kept elsewhere; `Acts(acts)` takes them back."""
        with self._lock:
            return (*self._people.values(), *self._begun.values())

    def _decide(self, act: Act) -> Act:
        with self._lock:
            self._people[act.rule, act.subject] = act
            self._begun.pop((act.rule, act.subject), None)
        return act
