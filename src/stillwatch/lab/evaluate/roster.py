"""The parts of the results, in the order of the page. Parts that look at logs made by others come after them."""

from __future__ import annotations

from stillwatch.lab.evaluate import (
    calibration,
    evasions,
    failover,
    february,
    gateway,
    headline,
    incremental,
    lag,
    lookalikes,
    noise,
    partial,
    rivals,
    scenarios,
)
from stillwatch.lab.evaluate.part import Part

PARTS: tuple[Part, ...] = (
    headline.PART,
    february.PART,
    scenarios.PART,
    lookalikes.PART,
    rivals.PART,
    lag.PART,
    incremental.PART,
    failover.PART,
    gateway.PART,
    evasions.PART,
    partial.PART,
    calibration.PART,
    noise.PART,
)
