"""What a model file and its `model.toml` say, and whether the file may be loaded."""
