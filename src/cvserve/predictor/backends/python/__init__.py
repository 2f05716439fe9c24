"""A user-defined class: found, checked, and made into a model."""
