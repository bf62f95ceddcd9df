"""Signed answers: who said it, with which model, to which request, in which order, and that nothing is missing."""
