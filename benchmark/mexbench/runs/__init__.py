"""The run folder: tasks, results, predictions, saved models, provenance."""
