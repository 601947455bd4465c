"""Analyses beside the leaderboard: the sub-division of action units, case studies, agreement between two models.

None of them is a score. What a model says about clips that nobody labelled is described, never called right.
"""
