"""Messages to the user of the program."""

import re
import sys
from typing import TextIO

_OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def complain(message: str) -> None:
    """Write a line to the standard error, under the program's name."""
    print(f"caption: {_escape(message)}", file=sys.stderr, flush=True)


def show_name(name: str, stream: TextIO) -> str:
    """What a file is called, for this stream: a terminal gets escaped what it would obey, a program the name itself."""
    return _escape(name) if stream.isatty() else name


def _escape(text: str) -> str:
    return _OBEYED.sub(lambda letter: letter[0].encode("unicode_escape").decode(), text)
