"""HTTP: a Starlette router behind plain ASGI middleware, run by uvicorn from our own code."""
