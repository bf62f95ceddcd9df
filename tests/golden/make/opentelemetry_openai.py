"""Golden OTLP files, by the OpenTelemetry SDK and its instrumentation of the OpenAI client.

In an environment of its own:

    pip install opentelemetry-sdk==1.45.2 opentelemetry-instrumentation-openai-v2==2.4b0 openai==2.54.0 \\
        opentelemetry-util-genai==1.1b0 \\
        opentelemetry-exporter-otlp-json-file==0.66b1 opentelemetry-exporter-otlp-proto-http==1.45.1
    python tests/golden/make/opentelemetry_openai.py

The JSON file is what the SDK's own file exporter writes, one ExportTraceServiceRequest a line. The protobuf file holds
the requests that the OTLP/HTTP exporter posted, each preceded by its length as the Collector's file exporter does.
"""

from __future__ import annotations

import contextlib
import os
import struct
import sys
from pathlib import Path

os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental"
os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "span_only"

from openai import OpenAI, RateLimitError
from opentelemetry import trace
from opentelemetry.exporter.otlp.json.file.trace_exporter import FileSpanExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

sys.path.insert(0, str(Path(__file__).parent))
from opentelemetry_receiver import Receiver
from upstream import serving

GOLDEN = Path(__file__).parents[1]
TOOLS = [{"type": "function", "function": {"name": "lookup", "parameters": {"type": "object", "properties": {}}}}]


class WhoAsks(SpanProcessor):
    """What a service in front of a model knows of its caller, on every span (semantic conventions: user, client)."""

    def on_start(self, span: Span, parent_context: object = None) -> None:
        span.set_attribute("user.id", "acct-7")
        span.set_attribute("client.address", "203.0.113.9")
        span.set_attribute("user_agent.original", "acme-app/2.1")


def main() -> None:
    lines = GOLDEN / "opentelemetry-openai.otlp.json"
    lines.unlink(missing_ok=True)
    with serving() as upstream, serving(Receiver) as receiver:
        provider = TracerProvider(resource=Resource.create({"service.name": "golden"}))
        provider.add_span_processor(WhoAsks())
        with lines.open("w", encoding="utf-8") as stream:
            provider.add_span_processor(SimpleSpanProcessor(FileSpanExporter(stream=stream)))
            provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{receiver}/v1/traces")))
            trace.set_tracer_provider(provider)
            OpenAIInstrumentor().instrument(tracer_provider=provider)
            ask(OpenAI(base_url=f"{upstream}/v1", api_key="sk-golden", max_retries=0))
            provider.shutdown()
    framed = b"".join(struct.pack(">I", len(body)) + body for body in Receiver.bodies)
    (GOLDEN / "opentelemetry-openai.otlp.pb").write_bytes(framed)
    print(len(Receiver.bodies), "requests")


def ask(client: OpenAI) -> None:
    """A chat, a chat of several turns with tools, a streamed one, an embedding, a refusal, a span of no model."""
    system = {"role": "system", "content": "You know geography."}
    first = {"role": "user", "content": "What is the capital of France?"}
    client.chat.completions.create(
        model="gpt-4o-mini", messages=[system, first], temperature=0.7, max_tokens=64, user="end-1"
    )
    turns = [system, first, {"role": "assistant", "content": "Paris."}, {"role": "user", "content": "And of Chile?"}]
    client.chat.completions.create(model="gpt-4o-mini", messages=turns, tools=TOOLS, n=2)
    for _ in client.chat.completions.create(
        model="gpt-4o-mini", messages=[first], stream=True, stream_options={"include_usage": True}
    ):
        pass
    client.embeddings.create(model="text-embedding-3-small", input="some words")
    with contextlib.suppress(RateLimitError):
        client.chat.completions.create(model="overloaded", messages=[first])
    with trace.get_tracer("golden").start_as_current_span("GET /healthz"):
        pass


if __name__ == "__main__":
    main()
