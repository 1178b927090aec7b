"""What the program says to whoever runs it."""

import sys


def complain(message: str) -> None:
    """Write a line to the standard error, under the program's name."""
    print(f"caption: {message}", file=sys.stderr, flush=True)
