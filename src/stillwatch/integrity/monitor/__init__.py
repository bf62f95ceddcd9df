"""Has it drifted? Evidence that stays valid however often one looks."""
