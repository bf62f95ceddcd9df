"""Known campaigns seen on a first request: what workers match against, and the watcher that keeps it new."""
