"""Is it the model it claims? Exact tests of an endpoint's answers against a reference."""
