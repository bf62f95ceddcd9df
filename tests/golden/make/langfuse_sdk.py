"""Golden spans of the Langfuse SDK, which exports OpenTelemetry: what it posts to a local receiver in Langfuse's place.

In an environment of its own:

    pip install langfuse==5.0.4
    python tests/golden/make/langfuse_sdk.py

The observations that Langfuse makes of these spans are made by its server, of which no package installs here: the
export files of the server in the tests are written by hand after its field reference.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from langfuse import Langfuse, propagate_attributes
from opentelemetry_receiver import Receiver
from upstream import serving

GOLDEN = Path(__file__).parents[1]


def main() -> None:
    with serving(Receiver) as receiver:
        client = Langfuse(public_key="pk-lf-golden", secret_key="sk-lf-golden", base_url=receiver)
        asked = [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What is the capital of France?"},
        ]
        with (
            propagate_attributes(user_id="acct-7", session_id="s-1"),
            client.start_as_current_observation(name="ask", as_type="span"),
            client.start_as_current_observation(
                name="answer",
                as_type="generation",
                model="gpt-4o-mini",
                model_parameters={"temperature": 0.7, "max_tokens": 64},
                input=asked,
            ) as generation,
        ):
            generation.update(output="Paris is the capital of France.", usage_details={"input": 21, "output": 7})
        client.flush()
    framed = b"".join(struct.pack(">I", len(body)) + body for body in Receiver.bodies)
    (GOLDEN / "langfuse-sdk.otlp.pb").write_bytes(framed)
    print(len(Receiver.bodies), "requests")


if __name__ == "__main__":
    main()
