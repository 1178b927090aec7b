"""Pure ASGI middlewares, one concern a file."""
