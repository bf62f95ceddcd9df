"""The commands for those who consume a model."""
