"""Evasions: what an operator changes to hide, each with a strength between 0 and 1, and what it costs.

An evasion draws from a stream of its own, and draws the same numbers at every strength: the accounts that hide at 0.3
hide in the same way at 0.7, and others join them. At strength 0 nothing is drawn and the traffic is what it would be.
"""
