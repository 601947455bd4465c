"""A run's description: read from YAML, checked, with sweeps and profiles."""
