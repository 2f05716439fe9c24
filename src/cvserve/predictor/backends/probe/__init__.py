"""A model is asked before anybody asks it, and what its answers show is kept."""
