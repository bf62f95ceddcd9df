"""Rivals: published methods and real tools that rank accounts on the log that stillwatch reads, never on labels."""

from stillwatch.lab.rivals.base import Log, Ranking, Rival, Tuned

__all__ = ["Log", "Ranking", "Rival", "Tuned"]
