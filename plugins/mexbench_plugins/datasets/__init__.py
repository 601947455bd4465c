"""Datasets: loaders of data as it lies on disk."""
