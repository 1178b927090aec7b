"""Server and middleware for every request."""
