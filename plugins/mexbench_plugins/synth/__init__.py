"""The generator: from one still face to a micro-expression clip, and whole stand-in data sets made of such clips."""
