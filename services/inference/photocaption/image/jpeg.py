"""Reduces a JPEG to what its pixels need, and reads orientation and colour profile.

Decoders refuse valid photos because of a short density, a broken profile or an invalid directory of tags, so these are
removed. Formats: ITU T.81, annex B; ICC.1:2010, annex B.4.
"""

import re
from collections.abc import Iterator

from photocaption.image.exif import MAX_TAGS, count_tags, read_orientation
from photocaption.image.stripped import StrippedFile, refuse_kind

# Far beyond what real files have: a progressive JPEG about 10 scans, a camera's file some hundred segments. A JPEG of
# 100 kB can ask for its 16 megapixels to be gone through a thousand times, at 9 ms each.
MAX_SCANS = 50
MAX_SEGMENTS = 2_000
MAX_GAPS = 100_000

_BEGIN = b"\xff\xd8"
_END = b"\xff\xd9"
_DENSITY = b"JFIF\0"
_EXIF = b"Exif\0\0"
_PROFILE = b"ICC_PROFILE\0"
_ADOBE = b"Adobe"
_APP0 = 0xE0
_APP1 = 0xE1
_APP2 = 0xE2
_APP14 = 0xEE
_COMMENT = 0xFE
_SCAN = 0xDA
_WITHOUT_LENGTH = frozenset({0x01, 0xD8})
# A marker: not a stuffed zero, not a restart; both belong to the compressed data between markers.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
# shorter ones are not believed by libjpeg either
_MIN_DENSITY = 14
_MIN_ADOBE = 12
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_READ_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
_CHANNELS = frozenset({1, 3, 4})
_KINDS = {0xC3: "lossless coding", 0xC5: "hierarchical coding", 0xC6: "hierarchical coding", 0xC7: "lossless coding"}


def read_jpeg(data: bytes) -> StrippedFile:
    """The first image of a JPEG. Raises UnsupportedImageError for an unsupported variant; ValueError for an excessive
    structure.
    """
    pieces = [_BEGIN]
    exif: list[bytes] = []
    profile: dict[int, bytes] = {}
    scans = position = 0
    for kind, begin, end in _walk_segments(data):
        content = data[begin + 4 : end]
        if kind in _FRAMES:
            _check_kind(kind, content)
        if kind == _APP1 and content.startswith(_EXIF):
            exif.append(content[len(_EXIF) :])
        elif kind == _APP2 and content.startswith(_PROFILE):
            profile[int.from_bytes(content[12:13])] = content[14:]
        if scans:
            pieces.append(data[position:begin])  # compressed
        if _is_needed(kind, content):
            pieces.append(data[begin:end])
        scans += kind == _SCAN
        position = end
    if not scans or count_tags(b"".join(exif)) > MAX_TAGS:
        raise ValueError("no scan, or too many tags")
    last = _MARKER.search(data, position)  # in a third of the time that `find` takes
    end = last.start() if last else -1
    pieces += [data[position : end if end >= 0 else len(data) - data.endswith(b"\xff")], _END]
    return StrippedFile(
        b"".join(pieces),
        read_orientation(exif[0] if exif else b""),
        b"".join(profile[number] for number in sorted(profile)),
        scans=scans,
        complete=end >= 0,
    )


def _walk_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Kind, begin and end of each segment, up to the end of the first image. Raises ValueError for too many.

    What follows it, such as the film of a motion photo, is ignored.
    """
    scans = gaps = number = 0
    position = 2
    while (marker := _MARKER.search(data, position)) and data[marker.end() - 1] != _END[1]:
        kind = data[marker.end() - 1]
        gaps += 0 if scans else marker.start() - position  # after the first scan comes compressed data
        scans += kind == _SCAN
        number += 1
        if number > MAX_SEGMENTS or scans > MAX_SCANS or gaps > MAX_GAPS:
            raise ValueError("too many segments, scans or gaps")
        length = 0 if kind in _WITHOUT_LENGTH else int.from_bytes(data[marker.end() : marker.end() + 2])
        position = min(marker.end() + length, len(data))
        yield kind, marker.start(), position


def append_noise(data: bytes) -> bytes:
    """A JPEG of `read_jpeg` with other bits before its end, which change nothing where no pixel is missing."""
    noise = b"\x5a\xa7\x13\xc8" * 16
    restarts = b"".join(b"\xff" + bytes([kind]) + noise for kind in range(0xD0, 0xD8))
    return data[: -len(_END)] + noise + restarts + _END


def _is_needed(kind: int, content: bytes) -> bool:
    if kind == _APP0:
        return content.startswith(_DENSITY) and len(content) >= _MIN_DENSITY
    if kind == _APP14:
        return content.startswith(_ADOBE) and len(content) >= _MIN_ADOBE
    return not _APP0 <= kind <= _COMMENT


def _check_kind(kind: int, content: bytes) -> None:
    bits = content[:1] or b"\x08"
    channels = content[5:6] or b"\x01"
    if kind not in _READ_FRAMES:
        name = _KINDS.get(kind, "arithmetic coding")
    elif bits != b"\x08":
        name = f"{bits[0]} bits a colour"
    elif channels[0] not in _CHANNELS:
        name = f"{channels[0]} channels"
    else:
        return
    raise refuse_kind("a JPEG", name, "an ordinary JPEG or PNG")
