"""Films: one reader for all of them, and the list of the clips in a folder."""
