"""Scores, significance tests, and the summary of a row."""
