"""A model's files: read once, hashed, and searched for what they import."""
