"""Those who may be told of a run: ``bench run --observe NAME``."""
