"""The formats of model files, and what of them is safe to read."""
