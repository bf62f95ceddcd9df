"""What records an act: `apps` hands in the control plane's ledger, or a file of lines where there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Append = Callable[[str, str, dict[str, Any]], int]  # act, id of what it is about, facts → number of the entry
