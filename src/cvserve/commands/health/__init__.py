"""`cvserve health`: command.py is what Typer sees, request.py asks the server."""
