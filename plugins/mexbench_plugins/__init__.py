"""Everything that the field argues about: datasets, preprocessors, models and protocols."""
