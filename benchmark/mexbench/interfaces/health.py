"""When a trained predictor's own figures say that its scores tell little about the model."""

from __future__ import annotations

#: A training loss of at least this share of the loss of guessing class frequencies is that of guessing.
UNDERTRAINED = 0.95
#: Accuracy on the training side that is lost between the last epoch and the test of the same samples, above which the
#: predictor is not the network that was trained.
MODE_GAP = 0.15
