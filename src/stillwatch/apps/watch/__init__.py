"""Follows a log while it is written: windows close, verdicts stand at OUT, and a kill at any moment loses nothing."""
