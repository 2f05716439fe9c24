"""What is not served as it is, and the way from there to a server."""
