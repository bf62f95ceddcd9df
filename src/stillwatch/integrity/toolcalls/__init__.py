"""Tool calls that came through somebody else's hands: what may be carried out, and a log of it."""

from stillwatch.integrity.toolcalls.checking import check_outgoing, check_tool_call
from stillwatch.integrity.toolcalls.gate import Gate
from stillwatch.integrity.toolcalls.records import Attack, Checked, Finding, ToolCall, ToolPolicy, ToolRule

__all__ = [
    "Attack",
    "Checked",
    "Finding",
    "Gate",
    "ToolCall",
    "ToolPolicy",
    "ToolRule",
    "check_outgoing",
    "check_tool_call",
]
