"""A class of one's own as a model: found, made, asked about itself, and its mistakes told by its own lines."""
