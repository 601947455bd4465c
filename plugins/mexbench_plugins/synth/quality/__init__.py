"""What a generated clip is held to: measures of its recorded frames, each of which a bad clip can fail."""
