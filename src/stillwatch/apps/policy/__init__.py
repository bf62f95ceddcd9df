"""`stillwatch policy`: check a policy file, try it out, explain it, and report what it did or would have done."""
