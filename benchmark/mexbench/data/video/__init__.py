"""Films: one reader for all of them, and the list that says which clips lie in a folder."""
