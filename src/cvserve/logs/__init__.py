"""Two logs: the server's own events on stderr, and the access log `output.log`."""
