"""Loaders of the data sets, in the layouts in which their owners publish them."""
