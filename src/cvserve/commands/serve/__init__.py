"""`cvserve serve`: the model on the network."""
