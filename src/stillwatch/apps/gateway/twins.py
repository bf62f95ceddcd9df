"""Coin-flip twins behind the gateway: under which key, and whether an answer may be one at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from stillwatch.actions.decision import Decision
from stillwatch.apps.gateway.apis.altering import Step
from stillwatch.apps.gateway.apis.twinning import Twinning, may_be_rendered
from stillwatch.apps.provenance.files import load_keyring
from stillwatch.model import UsageError
from stillwatch.provenance.keyring import Keyring

FALLBACK = "deployment:gateway"  # whose key is taken for a campaign that has none of its own


class Twins:
    """The keys that the gateway serves under. Without one for a campaign or the deployment, nothing is rendered.

    It begins no term by itself: a key's commitment is published before it is used (docs/why/064).
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._ring: Keyring | None = None if path is None else load_keyring(path)
        self._secrets: dict[str, bytes | None] = {}

    def load(self) -> None:
        """Take up a keyring that changed."""
        if self._path is not None:
            self._ring, self._secrets = load_keyring(self._path), {}

    def settled(self, decision: Decision, asked: Mapping[str, Any]) -> Decision:
        """Return a decision without its twin where there is no key, or the request asks for what a twin would break."""
        if not decision.effect.twin or (self._secret(decision) is not None and may_be_rendered(asked)):
            return decision
        return replace(decision, effect=replace(decision.effect, twin=False))

    def steps(self, decision: Decision) -> tuple[Step, ...]:
        """Return the step that renders an answer, made afresh."""
        secret = self._secret(decision) if decision.effect.twin else None
        return () if secret is None else (Twinning(secret),)

    def _secret(self, decision: Decision) -> bytes | None:
        scope = f"campaign:{decision.campaign_id}" if decision.campaign_id else FALLBACK
        if scope not in self._secrets:
            self._secrets[scope] = self._find(scope) or self._find(FALLBACK)
        return self._secrets[scope]

    def _find(self, scope: str) -> bytes | None:
        try:
            return None if self._ring is None else self._ring.key(scope, "twins").secret
        except UsageError:
            return None
