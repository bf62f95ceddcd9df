"""The output contract: columns and types of every table that a run writes, in one place."""

from __future__ import annotations

import pyarrow as pa

_MOMENT = pa.timestamp("us", "UTC")
_SHARES = pa.list_(pa.struct([("name", pa.string()), ("share", pa.float64())]))

VERDICTS = pa.schema(
    [
        ("account_id", pa.string()),
        ("campaign_id", pa.string()),
        ("verdict", pa.string()),
        ("p", pa.float64()),
        ("coordination_bits", pa.float64()),
        ("extraction_bits", pa.float64()),
        ("deception_bits", pa.float64()),
        ("exchanges", pa.int64()),
        ("flagged_exchanges", pa.int64()),
        ("first_seen", _MOMENT),
        ("last_seen", _MOMENT),
    ]
)
CAMPAIGNS = pa.schema(
    [
        ("campaign_id", pa.string()),
        ("verdict", pa.string()),
        ("p", pa.float64()),
        ("accounts", pa.int64()),
        ("exchanges", pa.int64()),
        ("flagged_exchanges", pa.int64()),
        ("output_tokens", pa.int64()),
        ("first_seen", _MOMENT),
        ("last_seen", _MOMENT),
        ("capabilities", _SHARES),
        ("models", _SHARES),
        ("channels", _SHARES),
        ("countries", _SHARES),
        ("asns", _SHARES),
        (
            "operator_hypotheses",
            pa.list_(
                pa.struct(
                    [("operator", pa.string()), ("p", pa.float64()), ("grade", pa.string()), ("role", pa.string())]
                )
            ),
        ),
        ("pool_id", pa.string()),
        ("status", pa.string()),
        ("coordination_bits", pa.float64()),
        ("extraction_bits", pa.float64()),
        ("deception_bits", pa.float64()),
    ]
)
EVIDENCE = pa.schema(
    [
        ("subject_type", pa.string()),
        ("subject_id", pa.string()),
        ("signal", pa.string()),
        ("axis", pa.string()),
        ("family", pa.string()),
        ("bits", pa.float64()),
        ("because", pa.string()),
        ("exchanges", pa.list_(pa.string())),
    ]
)
FLAGGED = pa.schema(
    [("exchange_id", pa.string()), ("account_id", pa.string()), ("campaign_id", pa.string()), ("p", pa.float64())]
)
REJECTED = pa.schema(
    [("file", pa.string()), ("row", pa.int64()), ("field", pa.string()), ("value", pa.string()), ("mend", pa.string())]
)
