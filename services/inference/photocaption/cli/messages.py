"""Messages to the user of the program."""

import re
import sys
from typing import TextIO

_CONTROL_CHARACTERS = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def complain(message: str) -> None:
    """Write a line to the standard error, under the program's name."""
    print(f"caption: {_escape(message)}", file=sys.stderr, flush=True)


def show_name(name: str, stream: TextIO) -> str:
    """The name of a file for this stream: on a terminal without control characters, for a program as it is."""
    return _escape(name) if stream.isatty() else name


def _escape(text: str) -> str:
    return _CONTROL_CHARACTERS.sub(lambda letter: letter[0].encode("unicode_escape").decode(), text)
