"""The program `caption`."""

from photocaption.cli.command import main

__all__ = ["main"]
