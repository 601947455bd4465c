"""Observers of a run: ``bench run --observe NAME``."""
