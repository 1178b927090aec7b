"""Takes from a JPEG what its pixels need, and reads what little of the rest matters: orientation and colour profile.

Decoders refuse sound photos for a short density, a broken profile or a directory of tags that points into nothing. None
of that gets to them. Formats: ITU T.81, annex B; ICC.1:2010, annex B.4.
"""

from photocaption.errors import UnsupportedImageError
from photocaption.image.exif import read_orientation
from photocaption.image.stripped import StrippedFile
from photocaption.image.structure import SCAN, walk_segments

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
# shorter ones are not believed by libjpeg either
_LEAST_DENSITY = 14
_LEAST_ADOBE = 12
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_READ_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
_CHANNELS = frozenset({1, 3, 4})
_KINDS = {0xC3: "lossless coding", 0xC5: "hierarchical coding", 0xC6: "hierarchical coding", 0xC7: "lossless coding"}


def read_jpeg(data: bytes) -> StrippedFile:
    """The first image of a JPEG. Raises UnsupportedImageError for a kind of JPEG that is not read."""
    pieces = [_BEGIN]
    exif = b""
    position = 0
    profile: dict[int, bytes] = {}
    scanning = False
    for kind, begin, end in walk_segments(data):
        content = data[begin + 4 : end]
        if kind in _FRAMES:
            _check_kind(kind, content)
        if kind == _APP1 and content.startswith(_EXIF):
            exif = exif or content[len(_EXIF) :]
        elif kind == _APP2 and content.startswith(_PROFILE):
            profile[int.from_bytes(content[12:13])] = content[14:]
        if scanning:
            pieces.append(data[position:begin])  # compressed
        if _is_needed(kind, content):
            pieces.append(data[begin:end])
        scanning = scanning or kind == SCAN
        position = end
    pieces.append(data[position : _find_end(data, position)])
    return StrippedFile(
        b"".join([*pieces, _END]), read_orientation(exif), b"".join(profile[n] for n in sorted(profile))
    )


def is_complete(data: bytes) -> bool:
    """Whether the end of the image is marked; `read_jpeg` marks it in any case."""
    *_, (_, _, position) = walk_segments(data)
    return data.find(_END, position) >= 0


def append_noise(data: bytes) -> bytes:
    """What `read_jpeg` gave, with other bits before its end: where no pixel is missing, they change nothing."""
    noise = b"\x5a\xa7\x13\xc8" * 16
    restarts = b"".join(b"\xff" + bytes([kind]) + noise for kind in range(0xD0, 0xD8))
    return data[: -len(_END)] + noise + restarts + _END


def _find_end(data: bytes, position: int) -> int:
    end = data.find(_END, position)
    return len(data) - data.endswith(b"\xff") if end < 0 else end


def _is_needed(kind: int, content: bytes) -> bool:
    if kind == _APP0:
        return content.startswith(_DENSITY) and len(content) >= _LEAST_DENSITY
    if kind == _APP14:
        return content.startswith(_ADOBE) and len(content) >= _LEAST_ADOBE
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
    msg = f"The photo is a JPEG of a kind that is not read ({name}): save it as an ordinary JPEG or PNG."
    raise UnsupportedImageError(msg)
