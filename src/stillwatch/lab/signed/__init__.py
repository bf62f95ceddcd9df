"""Signed answers that were altered on their way, each in a way that has a name."""
