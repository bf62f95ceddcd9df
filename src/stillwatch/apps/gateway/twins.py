"""Coin-flip twins behind the gateway: under which key, and whether an answer may be one at all."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from stillwatch.actions.decision import Decision
from stillwatch.apps.gateway.apis.altering import Step
from stillwatch.apps.gateway.apis.twinning import Twinning, may_be_rendered
from stillwatch.apps.gateway.parts import without_twin
from stillwatch.apps.provenance.files import load_keyring
from stillwatch.provenance.keyring import MarkKey

FALLBACK = "deployment:gateway"  # whose key is taken for a campaign that has none of its own
OF_CAMPAIGN = "campaign:"
PURPOSE = "twins"
Committed = Callable[[], Collection[str]]  # the commitments to our rules that stand in the ledger now
logger = logging.getLogger("stillwatch.gateway")


def _nothing_committed() -> Collection[str]:
    return ()


class Twins:
    """The keys that the gateway serves under. Without one for a campaign or the deployment, nothing is rendered.

    It begins no term by itself: a key's commitment is published before it is used (docs/why/064). Under a key whose
    commitment `committed` does not have when the keys are loaded, nothing is rendered either, nor under an older one.
    """

    def __init__(self, path: Path | None = None, committed: Committed = _nothing_committed) -> None:
        self._path, self._committed = path, committed
        self._secrets: dict[str, bytes | None] = {}  # by scope; None: its key is not committed
        self._said: set[str] = set()
        self.load()

    def load(self) -> None:
        """Take up a keyring, or a ledger, that changed."""
        if self._path is None:
            return
        last = {key.term.scope: key for key in load_keyring(self._path).all_keys() if _is_ours(key)}
        held = self._committed()
        self._secrets = {scope: key.secret if key.commitment in held else None for scope, key in last.items()}
        for key in last.values():
            if key.commitment not in held:
                self._say(key)

    @property
    def uncommitted(self) -> int:
        """How many keys would be served under, were their commitments in the ledger."""
        return sum(secret is None for secret in self._secrets.values())

    def settled(self, decision: Decision, asked: Mapping[str, Any]) -> Decision:
        """Return a decision without its twin where there is no key, or the request asks for what a twin would break."""
        if not decision.effect.twin or (self._secret(decision) is not None and may_be_rendered(asked)):
            return decision
        return without_twin(decision)

    def steps(self, decision: Decision) -> tuple[Step, ...]:
        """Return the step that renders an answer, made afresh."""
        secret = self._secret(decision) if decision.effect.twin else None
        return () if secret is None else (Twinning(secret),)

    def _secret(self, decision: Decision) -> bytes | None:
        scope = f"{OF_CAMPAIGN}{decision.campaign_id}" if decision.campaign_id else FALLBACK
        return self._secrets.get(scope if scope in self._secrets else FALLBACK)

    def _say(self, key: MarkKey) -> None:
        """Say once for each key that nothing is served under it."""
        if key.commitment not in self._said:
            self._said.add(key.commitment)
            why = "the ledger has no commitment of it to these rules; stillwatch provenance commitments --enter"
            logger.warning("twins-not-served", extra={"what": f"{key.term.scope} epoch {key.term.epoch}", "why": why})


def _is_ours(key: MarkKey) -> bool:
    return key.term.purpose == PURPOSE and (key.term.scope == FALLBACK or key.term.scope.startswith(OF_CAMPAIGN))
