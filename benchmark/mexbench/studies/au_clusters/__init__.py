"""Classes divided by clusters of action units."""
