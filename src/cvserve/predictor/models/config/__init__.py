"""`model.toml`, labels and presets: where they stand, what they may say."""
