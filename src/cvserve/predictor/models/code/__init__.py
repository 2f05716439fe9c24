"""Whether code of a model may run."""
