"""Published figures, judged."""
