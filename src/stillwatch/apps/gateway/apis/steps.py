"""What a decision does to an answer, as steps in their order: what is dropped, written anew, rounded, and sealed."""

from __future__ import annotations

from collections.abc import Mapping

from stillwatch.actions.decision import Effect
from stillwatch.apps.gateway.apis.altering import Step
from stillwatch.apps.gateway.apis.dropping import Dropping
from stillwatch.apps.gateway.apis.rewriters import RULES, Rewriter
from stillwatch.apps.gateway.apis.rewriting import Rewriting, Seals, Unsealed
from stillwatch.apps.gateway.apis.rounding import Rounding
from stillwatch.apps.gateway.apis.stripping import REASONING


def steps_for(
    effect: Effect, sealing: Seals | None = None, rewriters: Mapping[str, Rewriter] = RULES
) -> tuple[Step, ...]:
    """Return the steps for one answer, made afresh; none where it passes byte for byte.

    Without `sealing`, where no secret of the deployment is, handles stay as they are.
    """
    steps: list[Step] = []
    if effect.drop:
        steps.append(Dropping(effect.drop))
    if effect.logprob_decimals is not None or effect.logprob_top is not None:
        steps.append(Rounding(effect.logprob_decimals, effect.logprob_top))
    rewrite = rewriters.get(effect.reasoning) if REASONING not in effect.drop else None
    if rewrite is not None or (sealing is not None and sealing.binds):
        steps.append(Rewriting(rewrite, sealing or Unsealed()))
    return tuple(steps)
