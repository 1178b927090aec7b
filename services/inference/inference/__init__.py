"""Turns the bytes of a photo into a caption: as a library, a command-line program and an HTTP service."""

__version__ = "0.1.0"
