"""Signed answers in the gateway, and before any ASGI application."""
