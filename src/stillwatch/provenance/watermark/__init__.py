"""Watermarks, for who controls the sampler: which next tokens a key favours, and how sure a text shows it."""
