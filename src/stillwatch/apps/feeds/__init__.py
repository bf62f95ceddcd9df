"""The command of feeds."""
