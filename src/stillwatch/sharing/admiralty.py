"""The Admiralty code as weights: reliability of the source A to F, credibility of the information 1 to 6.

Judgement, not measurement. F and 6 mean that it cannot be judged, which is not the same as doubted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Reliability = Literal["A", "B", "C", "D", "E", "F"]
RELIABILITY: Mapping[str, float] = {"A": 1.0, "B": 0.8, "C": 0.5, "D": 0.2, "E": 0.0, "F": 0.3}
CREDIBILITY: Mapping[int, float] = {1: 1.0, 2: 0.8, 3: 0.5, 4: 0.2, 5: 0.0, 6: 0.3}
