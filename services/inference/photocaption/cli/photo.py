"""A photo of a run, read once and only when its content is needed."""

import errno
import hashlib
import os
import sys
from contextlib import nullcontext
from functools import cached_property, partial
from itertools import islice
from pathlib import Path

STDIN = "-"

MAX_BYTES = 512 * 2**20
_PIECE = 4 * 2**20  # what is asked for is allocated at once, however little there is


class Photo:
    """The file of this name, or the standard input."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def path(self) -> Path:
        """The path of the file; that of the standard input is not used."""
        return Path(self.name)

    @cached_property
    def data(self) -> bytes:
        """Its bytes. Raises OSError, also where there are too many to hold."""
        with nullcontext(sys.stdin.buffer) if self.name == STDIN else self.path.open("rb") as stream:
            pieces = list(islice(iter(partial(stream.read, _PIECE), b""), MAX_BYTES // _PIECE + 1))
        if sum(map(len, pieces)) > MAX_BYTES:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), self.name)
        return b"".join(pieces)

    @cached_property
    def sha256(self) -> str:
        """Of its bytes, in hex. Raises OSError."""
        return hashlib.sha256(self.data).hexdigest()
