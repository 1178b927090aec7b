"""What the program says to whoever runs it."""

import sys


def complain(message: str) -> None:
    """A line on the standard error."""
    print(f"caption: {message}", file=sys.stderr, flush=True)
