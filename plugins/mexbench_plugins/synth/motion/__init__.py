"""Fields of facial motion: decoded from packs of real flow, made by hand, or sampled from a learned model."""
