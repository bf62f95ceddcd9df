"""The admin API's hands: what it asks of the control plane, of the metrics, and of the other processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stillwatch.actions.decision import ActionKind
from stillwatch.actions.policy_file import SHIPPED, read_policy
from stillwatch.apps.gateway.control import Told
from stillwatch.apps.gateway.places import Places
from stillwatch.apps.gateway.scrape import exposition
from stillwatch.model import StillwatchError, UsageError
from stillwatch.store.acts import approve_action, propose_action, reverse_action
from stillwatch.store.acts_read import Action, Proposal, Scope, Status, list_actions
from stillwatch.store.database import Store, version
from stillwatch.store.keys import Key, KeyRequest, issue_key, list_keys, revoke_key
from stillwatch.store.verdicts import CampaignVerdict, read_verdicts

SECOND = 1_000_000  # µs
DAY = 86_400
DEFAULT_POLICY = "shadow"


class Operating:
    """A `Control` over one gateway's store and folders. Every act is in the name that it is given."""

    def __init__(self, store: Store, places: Places) -> None:
        self._store, self._places = store, places

    def keys(self, account_id: str | None) -> list[Told]:
        """Return the keys, or those of an account; never the keys themselves."""
        return [_key(each) for each in list_keys(self._store, account_id)]

    def issue_key(self, asked: Told, by: str) -> Told:
        """Make a key; `key` of what is returned holds it, for the only time."""
        days = _number(asked, "days", 0)
        until = _now() + int(days * DAY * SECOND) if days else None
        request = KeyRequest(_text(asked, "account_id"), str(asked.get("label", "")), until)
        key, kept = issue_key(self._store, request, _now(), by)
        return {**_key(kept), "key": key}

    def revoke_key(self, key_id: str, by: str) -> Told:
        """Make a key good no longer."""
        return _key(revoke_key(self._store, key_id, _now(), by))

    def actions(self, asked: Told) -> list[Told]:
        """Return actions, by `status` and `subject`."""
        status = Status(asked["status"]) if asked.get("status") else None
        return [
            _action(each) for each in list_actions(self._store, _now(), status=status, subject=asked.get("subject"))
        ]

    def propose_action(self, asked: Told, by: str) -> Told:
        """Propose an action: `scope`, `subject_id`, `kind`, `reason`, and `days` until it ends."""
        proposal = Proposal(
            scope=Scope(_text(asked, "scope")),
            subject_id=_text(asked, "subject_id"),
            kind=ActionKind(_text(asked, "kind")),
            reason=_text(asked, "reason"),
            expires_at=_now() + int(_number(asked, "days", 14) * DAY * SECOND),
            parameters=dict(asked.get("parameters", {})),
        )
        return _action(propose_action(self._store, proposal, _now(), by))

    def approve_action(self, action_id: str, by: str) -> Told:
        """Let an action come into force."""
        return _action(approve_action(self._store, action_id, _now(), by))

    def reverse_action(self, action_id: str, because: str, by: str) -> Told:
        """Take an action back."""
        return _action(reverse_action(self._store, action_id, _now(), by, because))

    def verdicts(self, asked: Told) -> list[Told]:
        """Return verdicts, by `account_id` or `campaign_id`."""
        account, campaign = asked.get("account_id"), asked.get("campaign_id")
        return [
            _verdict(each, account)
            for each in read_verdicts(self._store).campaigns
            if campaign in (None, each.campaign_id) and (account is None or account in each.members)
        ]

    def policy(self) -> Told:
        """Return the policy in force: its digest, mode and text."""
        path = self._places.policy or SHIPPED / f"{DEFAULT_POLICY}.yaml"
        found = read_policy(path)
        return {"digest": found.digest, "mode": found.mode, "text": Path(path).read_text(encoding="utf-8")}

    def metrics(self) -> tuple[str, bytes]:
        """Return the media type and the text of the metrics of all processes."""
        text, media_type = exposition(self._places.metrics)
        return media_type, text

    def reload(self, by: str) -> None:
        """Have every process read configuration, policy and index again."""
        del by
        os.kill(os.getppid(), signal.SIGHUP)  # the supervisor

    def problems(self) -> Mapping[str, str]:
        """Return each part of the gateway, and what is wrong with it; "" where all is well."""
        return {"control plane": _wrong(lambda: version(self._store)), "policy": _wrong(self.policy)}


def _wrong(attempt: Any) -> str:
    try:
        attempt()
    except (StillwatchError, OSError) as error:
        return type(error).__name__
    return ""


def _key(key: Key) -> Told:
    return asdict(key)


def _action(action: Action) -> Told:
    return asdict(action)


def _verdict(one: CampaignVerdict, account: str | None) -> Told:
    told = asdict(one)
    told["members"] = len(one.members)
    return told if account is None else {**told, "account_id": account}


def _text(asked: Told, name: str) -> str:
    value = asked.get(name)
    if not isinstance(value, str) or not value:
        raise UsageError(f"{name} is missing; give it as text")
    return value


def _number(asked: Told, name: str, default: float) -> float:
    value = asked.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise UsageError(f"{name} is {value!r}; give a number of days")
    return float(value)


def _now() -> int:
    return time.time_ns() // 1_000
