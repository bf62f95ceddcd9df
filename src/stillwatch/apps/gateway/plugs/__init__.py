"""The same decision in what people already run: by HTTP, in Envoy, in LiteLLM, and in any ASGI application."""
