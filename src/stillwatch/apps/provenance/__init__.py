"""`stillwatch provenance`: keys of marks, twins of texts, and the tests of a suspect model."""
