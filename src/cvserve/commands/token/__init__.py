"""`cvserve token`: app.py is what Typer sees, tokens.py what happens."""
