"""Coin-flip twins: of two ways to say the same, a keyed coin picks the one that is served."""
