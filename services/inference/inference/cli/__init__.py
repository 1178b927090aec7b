"""The program `caption`."""

from inference.cli.command import main

__all__ = ["main"]
