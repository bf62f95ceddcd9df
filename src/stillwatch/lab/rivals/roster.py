"""The rivals, in the order of the tables."""

from __future__ import annotations

from stillwatch.lab.rivals import (
    aegisgate,
    boosting,
    evilcohort,
    fraudar,
    glasswally,
    identifiers,
    isolation,
    mmd,
    prada,
    splink_fs,
    synchrotrap,
    toolkit,
    volume,
)
from stillwatch.lab.rivals.base import Rival

ROSTER: tuple[Rival, ...] = (
    volume.RIVAL,
    identifiers.RIVAL,
    evilcohort.RIVAL,
    splink_fs.RIVAL,
    synchrotrap.RIVAL,
    toolkit.RIVAL,
    fraudar.RIVAL,
    aegisgate.RIVAL,
    glasswally.RIVAL,
    prada.RIVAL,
    mmd.RIVAL,
    isolation.RIVAL,
    boosting.ORACLE,
    boosting.NOISY,
)
