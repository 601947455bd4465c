"""A case study, described from predicted clips."""
