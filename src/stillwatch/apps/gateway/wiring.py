"""Where the gateway is put together: what each worker is built of, and what runs beside the workers."""

from __future__ import annotations

from stillwatch.apps.gateway.parts import Parts
from stillwatch.apps.gateway.serving.supervisor import Background, Program
from stillwatch.apps.gateway.settings import Config
from stillwatch.model import UsageError


def build_parts(config: Config) -> Parts:
    """Return what one worker needs: who may call, what is decided, what is kept."""
    del config
    raise UsageError("this build has no decider and no recorder; a gateway without them would only look like one")


BACKGROUND: tuple[Background, ...] = ()


def program() -> Program:
    """Return what `stillwatch gateway` runs."""
    return Program(build_parts, BACKGROUND)


def check(config: Config) -> None:
    """Build everything once and drop it, so that what is wrong is said before anything is served."""
    build_parts(config).close()
