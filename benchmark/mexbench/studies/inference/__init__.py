"""What a saved model says about films: window by window, frame by frame, and how far to believe it."""
