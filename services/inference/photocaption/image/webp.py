"""Reads orientation and colour profile from a WebP. Format: RFC 9649."""

import struct

from photocaption.image.exif import read_orientation
from photocaption.image.stripped import StrippedFile

_HEADER_SIZE = 12
_MAX_CHUNKS = 10_000


def read_webp(data: bytes) -> StrippedFile:
    """A WebP as it is: its decoder does not look at metadata."""
    exif = profile = b""  # the first of each counts
    position = _HEADER_SIZE
    for _ in range(_MAX_CHUNKS):
        if position + 8 > len(data):
            break
        kind, size = struct.unpack_from("<4sI", data, position)
        if kind == b"EXIF":
            exif = exif or data[position + 8 : position + 8 + size].removeprefix(b"Exif\0\0")
        elif kind == b"ICCP":
            profile = profile or data[position + 8 : position + 8 + size]
        position += 8 + size + size % 2
    return StrippedFile(data, read_orientation(exif), profile)
