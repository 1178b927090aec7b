"""Detects HEIC and AVIF, which both consist of boxes, and hides metadata from their decoders.

A photo is an item of such a file, and so are its EXIF and XMP, which a decoder would read before the pixels, and fail
on. The orientation is a property of the item; EXIF does not count. Formats: ISO/IEC 14496-12
and 23008-12; AV1 Image File Format.
"""

import struct
from collections.abc import Iterator

from photocaption.image.stripped import StrippedFile, refuse_kind

MAX_BOXES = 4_000  # a photo of 48 megapixels in tiles has some 250 items
MAX_BRANDS = 32

_AVIF = frozenset({b"avif", b"avis"})
_HEIC = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_UNKNOWN_TO_PILLOW = frozenset({b"mif2", b"miaf"})
_EITHER = frozenset({b"mif1", b"msf1"}) | _UNKNOWN_TO_PILLOW
_METADATA = frozenset({b"Exif", b"mime", b"uri "})
_TONE_MAPPED = b"tmap"  # the brand of files with a tone map, which decoders may ignore
_HIDDEN = b"free"  # an item of a type without meaning
_CODINGS = {
    b"hvc1": "HEVC", b"av01": "AV1", b"avc1": "AVC", b"evc1": "EVC", b"vvc1": "VVC", b"jpeg": "JPEG",
    b"j2k1": "JPEG 2000", b"unci": "none",
}  # fmt: skip

Box = tuple[bytes, int, int]


def recognise(data: bytes) -> str | None:
    """`HEIC` or `AVIF`, by the brands that the first box names; None where it is neither."""
    if data[4:8] != b"ftyp":
        return None
    end = min(int.from_bytes(data[:4]), len(data), 16 + 4 * MAX_BRANDS)
    major, *others = [data[8:12], *(data[place : place + 4] for place in range(16, end, 4))]
    if major in _AVIF or (major in _EITHER and _AVIF & set(others)):
        return "AVIF"
    return "HEIC" if major in _HEIC | _EITHER else None


def hide_metadata(data: bytes, format_name: str, coding: bytes) -> StrippedFile:
    """The file with its metadata hidden. Raises UnsupportedImageError where the pixels have another coding; ValueError
    for boxes without end.
    """
    stripped = bytearray(data)
    if data[8:12] in _UNKNOWN_TO_PILLOW:
        stripped[8:12] = b"mif1"
    boxes = {kind: (begin, end) for kind, begin, end in walk_boxes(data, 0, len(data))}
    items = list(_walk_items(data, *boxes[b"meta"])) if b"meta" in boxes else []
    for place in items:
        if data[place : place + 4] in _METADATA:
            stripped[place : place + 4] = _HIDDEN
    for place in range(16, boxes.get(b"ftyp", (0, 0))[1], 4):
        if data[place : place + 4] == _TONE_MAPPED:
            stripped[place : place + 4] = _HIDDEN
    codings = {data[place : place + 4] for place in items} & _CODINGS.keys()
    if codings and coding not in codings:
        raise refuse_kind(format_name, "coding " + " and ".join(sorted(_CODINGS[kind] for kind in codings)))
    if not codings and b"moov" in boxes and format_name == "HEIC":
        raise refuse_kind(format_name, "a film")
    return StrippedFile(bytes(stripped))


def _walk_items(data: bytes, begin: int, end: int) -> Iterator[int]:
    """Where the type of each item stands, in the first list of them."""
    for kind, inner_begin, inner_end in walk_boxes(data, begin + 4, end):
        if kind == b"iinf":
            entries = inner_begin + (6 if data[inner_begin] == 0 else 8)
            for entry, place, _ in walk_boxes(data, entries, inner_end):
                if entry == b"infe":
                    yield place + (10 if data[place] > 2 else 8)
            return


def walk_boxes(data: bytes, begin: int, end: int) -> Iterator[Box]:
    """Kind of each box between two offsets, and where its content begins and ends. Raises ValueError."""
    for _ in range(MAX_BOXES):
        if begin + 8 > end:
            return
        size, kind = struct.unpack_from(">I4s", data, begin)
        head = 8
        if size == 1 and begin + 16 <= end:
            (size,) = struct.unpack_from(">Q", data, begin + 8)
            head = 16
        size = end - begin if size == 0 else size
        if size < head:
            return
        yield kind, begin + head, min(begin + size, end)
        begin += size
    raise ValueError("too many boxes")
