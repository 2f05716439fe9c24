"""The server's event log and the access log `output.log`."""
