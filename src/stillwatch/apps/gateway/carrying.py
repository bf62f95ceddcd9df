"""What becomes of a request that carries opaque handles: opened and passed on, without what fails, or refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stillwatch.actions.decision import ActionKind, Decision, Effect
from stillwatch.apps.gateway.apis.handles import WHY, Handles, Opened, Rules
from stillwatch.apps.gateway.apis.parsing import rewrite
from stillwatch.apps.gateway.settings import Config

FORBIDDEN = 403
RULE = "handles"  # under which such a refusal stands in the exchange log


def handles_of(config: Config) -> Handles:
    """Return what opens and seals handles, by `[handles]` of a configuration."""
    secret, told = config.secret.read("secret of the deployment").encode(), config.handles
    if told is None:
        return Handles(secret, Rules())
    until = int(told.raw_until.timestamp() * 1_000_000)
    return Handles(secret, Rules(True, told.bind == "conversation", told.failed, until))


def refused_for(opened: Opened, decision: Decision) -> Decision:
    """Return the refusal of a request with a handle that fails; where to object is what the policy says."""
    effect = Effect(refused=True, status=FORBIDDEN)
    return replace(
        decision, action=ActionKind.DENY, effect=effect, rule=RULE, reason=f"handle-{opened.status}",
        message=WHY[opened.status], charges=(), expires=None,
    )  # fmt: skip


def put_back(asked: dict[str, Any], body: bytes, changes: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Return a request with other values of some fields. Without changes its bytes stay."""
    if not changes:
        return asked, body
    return {**asked, **changes}, rewrite(body, asked, dict(changes))
