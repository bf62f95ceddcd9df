"""The whole story of provenance, small enough for two cores: a teacher, its harvest, students, verdicts."""
