"""Reads the directory of tags that a TIFF file, and EXIF metadata in any file, begins with.

The number of tags and the offsets of their values may be wrong: only what fits into the file is used. Format: TIFF 6.0,
section 2, and libtiff's BigTIFF.
"""

import struct
from dataclasses import dataclass

MAX_TAGS = 6_000  # a segment of a JPEG, which is where EXIF metadata stands, holds 5,461

ORIENTATION = 0x0112

_BYTE_ORDERS = {b"II": "<", b"MM": ">"}
_BIG = 43
_NUMBERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_SIZES = {2: 1, 5: 8, 7: 1, 10: 8, 11: 4, 12: 8} | {
    kind: struct.calcsize("<" + code) for kind, code in _NUMBERS.items()
}


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file writes its numbers: its byte order, and struct's formats of an offset and of a count of tags."""

    order: str
    offset: str
    count: str

    @property
    def tag(self) -> str:
        """Format of a tag: number, kind of value, count of values, and the value or its place."""
        return f"{self.order}HH{self.offset}{struct.calcsize(self.order + self.offset)}s"

    def pack(self, code: str, *numbers: int) -> bytes:
        """Numbers in the file's byte order, each in the `struct` format `code`."""
        return struct.pack(f"{self.order}{len(numbers)}{code}", *numbers)


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag as it stands in its directory; `value` is the value, or where it is if it is too long."""

    number: int
    kind: int
    count: int
    value: bytes


class Directory:
    """The tags of a file's first directory, by number; `claimed`: how many it says, as far as they fit into the file.

    Raises ValueError for data that does not begin as a TIFF file does.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.layout = _read_layout(data)
        first = self._unpack(self.layout.offset, 8 if self.layout.offset == "Q" else 4)
        size = struct.calcsize(self.layout.tag)
        begin = first + struct.calcsize(self.layout.order + self.layout.count)
        claimed = self._unpack(self.layout.count, first) if first else 0
        self.claimed = max(0, min(claimed, (len(data) - begin) // size))
        here = data[begin : begin + size * min(self.claimed, MAX_TAGS)]
        tags = [Tag(*fields) for fields in struct.iter_unpack(self.layout.tag, here)]
        self.tags = {tag.number: tag for tag in reversed(tags)}  # of two with one number, the first counts

    def numbers(self, number: int) -> tuple[int, ...]:
        """The whole numbers that a tag holds, of whatever size; none where it is absent or not all in the file."""
        tag = self.tags.get(number)
        content = self.content(number)
        if tag is None or tag.kind not in _NUMBERS:
            return ()
        return struct.unpack(f"{self.layout.order}{len(content) // _SIZES[tag.kind]}{_NUMBERS[tag.kind]}", content)

    def number(self, number: int, default: int) -> int:
        """The first of `numbers`."""
        return (*self.numbers(number), default)[0]

    def content(self, number: int) -> bytes:
        """The bytes that a tag holds; none where it is absent or not all in the file."""
        tag = self.tags.get(number)
        if tag is None:
            return b""
        size = tag.count * _SIZES.get(tag.kind, 0)
        if size <= len(tag.value):
            return tag.value[:size]
        (place,) = struct.unpack(self.layout.order + self.layout.offset, tag.value)
        return self._data[place : place + size] if place + size <= len(self._data) else b""

    def _unpack(self, code: str, place: int) -> int:
        code = self.layout.order + code
        end = place + struct.calcsize(code)
        return int(struct.unpack(code, self._data[place:end])[0]) if end <= len(self._data) else 0


def read_orientation(exif: bytes) -> int:
    """The orientation that EXIF metadata gives, 1 where it gives none. Any value may come back."""
    try:
        return Directory(exif).number(ORIENTATION, 1)
    except ValueError:
        return 1


def count_tags(data: bytes) -> int:
    """How many tags the first directory has, as far as they fit into the file; 0 where there is none."""
    try:
        return Directory(data).claimed
    except ValueError:
        return 0


def _read_layout(data: bytes) -> Layout:
    order = _BYTE_ORDERS.get(data[:2])
    if order is None or len(data) < 8:
        raise ValueError("not a directory of tags")
    (version,) = struct.unpack(order + "H", data[2:4])
    return Layout(order, "Q", "Q") if version == _BIG else Layout(order, "I", "H")
