"""Scores, significance, and what is made of them."""
