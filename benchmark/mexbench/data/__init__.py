"""Samples, their labels, and their pixels through pipeline and cache."""
