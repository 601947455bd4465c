"""Protocols: which samples train and which test."""
