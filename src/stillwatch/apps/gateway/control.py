"""What the admin API asks of the control plane. `by` is who did it, as the ledger will remember."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

Told = Mapping[str, Any]


class Control(Protocol):
    """The control plane, as the admin API needs it. What it refuses is a StillwatchError that says why."""

    def keys(self, account_id: str | None) -> list[Told]:
        """Return the keys, or those of an account; never the keys themselves."""

    def issue_key(self, asked: Told, by: str) -> Told:
        """Make a key; `key` of what is returned holds it, for the only time."""

    def revoke_key(self, key_id: str, by: str) -> Told:
        """Make a key good no longer."""

    def actions(self, asked: Told) -> list[Told]:
        """Return actions, by `status` and `subject`."""

    def propose_action(self, asked: Told, by: str) -> Told:
        """Propose an action."""

    def approve_action(self, action_id: str, by: str) -> Told:
        """Let an action come into force."""

    def reverse_action(self, action_id: str, because: str, by: str) -> Told:
        """Take an action back."""

    def verdicts(self, asked: Told) -> list[Told]:
        """Return verdicts, by `account_id` or `campaign_id`."""

    def policy(self) -> Told:
        """Return the policy in force: its digest, mode and text."""

    def metrics(self) -> tuple[str, bytes]:
        """Return the media type and the text of the metrics of all processes."""

    def reload(self, by: str) -> None:
        """Have every process read configuration, policy and index again."""

    def problems(self) -> Mapping[str, str]:
        """Return each part of the gateway, and what is wrong with it; "" where all is well."""
