"""The catalogue of plugins, their typed parameters, and templates for new ones."""
