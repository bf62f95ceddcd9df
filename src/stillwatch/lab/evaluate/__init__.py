"""Measurements of the detector on traffic with known truth, and the page that reports them."""
