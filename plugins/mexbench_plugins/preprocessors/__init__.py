"""Preprocessors: stateless, label-blind steps from one clip to another."""
