"""What partners report: pulled, checked, kept with its lineage, and graded for detection."""
