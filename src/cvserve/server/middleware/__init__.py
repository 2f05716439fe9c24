"""Plain ASGI middleware, one file each, in the order of `app.py`."""
