"""For those who consume a model: verify an answer, audit an endpoint, watch it for drift."""
