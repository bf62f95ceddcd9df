"""What people already log, read as exchange rows: one small file for each format, listed in `roster`."""
