"""Splits, their checks, the plan of tasks, and how they are run."""
