"""Reads the directory of tags that a TIFF file, and EXIF metadata in any file, begins with: no more than is needed to
trust it.

A directory says how many tags it has, and whoever reads it believes that: 400,000 tags in a file of 8 MB keep Pillow
busy for 8 seconds. Here they are counted before anybody reads them. Format: TIFF 6.0, section 2, and libtiff's BigTIFF.
"""

import struct
from dataclasses import dataclass

MOST_TAGS = 2_000

_BYTE_ORDERS = {b"II": "<", b"MM": ">"}
_BIG = 43
_ORIENTATION = 0x0112
_SUBDIRECTORIES = (0x8769, 0x8825, 0xA005)  # EXIF, GPS, interoperability


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a file writes its numbers: struct formats of an offset, of a count of tags and of a tag with its value."""

    offset: str
    count: str
    tag: str
    first_directory: int


def count_tags(data: bytes) -> int:
    """How many tags the first directory and those below it claim to have; 0 where there is no such structure."""
    layout = _read_layout(data)
    if layout is None:
        return 0
    count, values = _read_directory(data, _read(layout.offset, data, layout.first_directory), layout)
    for tag in _SUBDIRECTORIES:
        if tag in values:
            more, below = _read_directory(data, _read(layout.offset, values[tag], 0), layout)
            count += more
            values = below | values
    return count


def read_orientation(data: bytes) -> int:
    """The orientation that EXIF metadata gives, 1 where it gives none. Any value may come back."""
    layout = _read_layout(data)
    if layout is None:
        return 1
    _, values = _read_directory(data, _read(layout.offset, data, layout.first_directory), layout)
    return _read(layout.offset[0] + "H", values.get(_ORIENTATION, b""), 0) or 1


def _read_layout(data: bytes) -> _Layout | None:
    order = _BYTE_ORDERS.get(data[:2])
    if order is None:
        return None
    if _read(order + "H", data, 2) == _BIG:
        return _Layout(order + "Q", order + "Q", order + "HHQ8s", first_directory=8)
    return _Layout(order + "I", order + "H", order + "HHI4s", first_directory=4)


def _read_directory(data: bytes, offset: int, layout: _Layout) -> tuple[int, dict[int, bytes]]:
    """How many tags a directory claims to have, and the values of its first tags as they stand in it, by tag."""
    if offset == 0:  # what `_read` gives for an offset that is missing; the header lies there
        return 0, {}
    count = _read(layout.count, data, offset)
    begin = offset + struct.calcsize(layout.count)
    size = struct.calcsize(layout.tag)
    here = data[begin : begin + size * min(count, MOST_TAGS)]
    entries = struct.iter_unpack(layout.tag, here[: len(here) // size * size])
    return count, {tag: value for tag, _, _, value in entries}


def _read(number: str, data: bytes, offset: int) -> int:
    """The number at an offset, 0 where the data ends before it."""
    end = offset + struct.calcsize(number)
    return int(struct.unpack(number, data[offset:end])[0]) if end <= len(data) else 0
