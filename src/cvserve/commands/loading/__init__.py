"""How commands load a model: from the settings, with a question about trust on a terminal, and a word about guesses."""
