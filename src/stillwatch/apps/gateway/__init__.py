"""The data plane: decides on every request, relays it, and keeps every exchange."""
