"""Logs of the lab sent through a gateway that runs: what it lets through, whom it refuses, what it keeps."""
