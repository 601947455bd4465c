"""Models: networks and baselines."""
