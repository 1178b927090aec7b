"""Reduces the first image of a TIFF to the tags that its pixels need.

Pillow does not support all of them: what it would misread is corrected here, or refused with the name of the variant.
Format: TIFF 6.0, its technical notes, and BigTIFF.
"""

from dataclasses import dataclass

from photocaption.errors import UnsupportedImageError
from photocaption.image.exif import MAX_TAGS, ORIENTATION, Directory, Layout
from photocaption.image.stripped import StrippedFile, refuse_kind

_BITS = 258
_COMPRESSION = 259
_PHOTOMETRIC = 262
_SAMPLES = 277
_PLANAR = 284
_COLOURS = 320
_SUBDIRECTORIES = 330
_INKS = 332
_EXTRA = 338
_SAMPLE_FORMAT = 339
_PROFILE = 34675
_DNG = 50706
_SUBFILE = 254
_REDUCED = 1
_NEEDED = frozenset(
    {256, 257, _BITS, _COMPRESSION, _PHOTOMETRIC, 266, 273, _SAMPLES, 278, 279, _PLANAR, 292, 293, 317, _COLOURS}
    | {322, 323, 324, 325, _INKS, _EXTRA, _SAMPLE_FORMAT, 347, *range(512, 522), 529, 530, 531, 532}
)
_WHITE_IS_ZERO = 0
_BLACK_IS_ZERO = 1
_RGB = 2
_PALETTE = 3
_CMYK = 5
_YCBCR = 6
_LAB = 8
_NAMES = {
    _WHITE_IS_ZERO: "grey", _BLACK_IS_ZERO: "grey", _RGB: "RGB", _PALETTE: "palette", 4: "mask", _CMYK: "inks",
    _YCBCR: "YCbCr", _LAB: "Lab", 9: "ICC Lab", 10: "ITU Lab", 32844: "LogL", 32845: "LogLuv",
}  # fmt: skip
_RAW = frozenset({32803, 34892})  # values of a sensor
_CANON = b"CR\2\0"  # behind the head of a CR2
_CHANNELS = {_RGB: 3, _CMYK: 4, _YCBCR: 3, _LAB: 3}
_EXTRAS = frozenset({0, 1, 2})  # of no meaning, premultiplied alpha, and alpha
_UNSIGNED = 1
_SIGNED = 2
_FLOAT = 3
_UNKNOWN = 4
_FORMATS = {_SIGNED: "signed", _FLOAT: "floating point"}
_READ = {  # bits of a value and how they are meant, by what they are
    _WHITE_IS_ZERO: {*((bits, _UNSIGNED) for bits in (1, 2, 4, 8, 16, 32)), (16, _SIGNED), (32, _SIGNED), (32, _FLOAT)},
    _RGB: {(8, _UNSIGNED), (16, _UNSIGNED)},
    _PALETTE: {(1, _UNSIGNED), (2, _UNSIGNED), (4, _UNSIGNED), (8, _UNSIGNED)},
    _CMYK: {(8, _UNSIGNED), (16, _UNSIGNED)},
    _YCBCR: {(8, _UNSIGNED)},
    _LAB: {(8, _UNSIGNED)},
}
_READ[_BLACK_IS_ZERO] = _READ[_WHITE_IS_ZERO]
_READ_COMPRESSIONS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 32771, 32773, 32946, 34925, 50000})
_JPEG = frozenset({6, 7})
_SEPARATE = 2
_SHORT = 3
_LONG = 4
_LONGER = frozenset({16, 17, 18})
_TIFF = 42


def read_tiff(data: bytes) -> StrippedFile:
    """The first image of a TIFF. Raises UnsupportedImageError for a kind of TIFF that is not read, ValueError."""
    directory = Directory(data)
    if directory.claimed > MAX_TAGS:
        raise ValueError("too many tags")
    _refuse_raw(directory, is_canon=data.startswith(_CANON, 8))
    pixels = _Pixels.read(directory)
    pixels.check()
    changed: dict[int, tuple[str, list[int]]] = {}
    inverted = pixels.photometric == _WHITE_IS_ZERO and pixels.bits > 8
    if inverted:
        changed[_PHOTOMETRIC] = ("H", [_BLACK_IS_ZERO])
    if pixels.photometric == _PALETTE and max(colours := directory.numbers(_COLOURS), default=256) < 256:
        changed[_COLOURS] = ("H", [257 * value for value in colours])  # of 8 bits, as some programs write them
    if not set(pixels.extra) <= _EXTRAS:
        changed[_EXTRA] = ("H", [value if value in _EXTRAS else 0 for value in pixels.extra])
    if pixels.format == _UNSIGNED:
        changed[_SAMPLE_FORMAT] = ("H", [])
    unsigned = pixels.bits == 32 and pixels.format == _UNSIGNED
    if unsigned:
        changed[_SAMPLE_FORMAT] = ("H", [_SIGNED])
    return StrippedFile(
        _rewrite(data, directory, changed),
        directory.number(ORIENTATION, 1),
        directory.content(_PROFILE),
        inverted=inverted,
        unsigned=unsigned,
    )


@dataclass(frozen=True, slots=True)
class _Pixels:
    photometric: int
    bits: int
    even: bool
    format: int
    samples: int
    extra: tuple[int, ...]
    planar: int
    compression: int
    inks: int

    @classmethod
    def read(cls, directory: Directory) -> "_Pixels":
        compression = directory.number(_COMPRESSION, 1)
        photometric = directory.number(_PHOTOMETRIC, _WHITE_IS_ZERO)
        bits = directory.numbers(_BITS) or (1,)
        formats = {_UNSIGNED if value == _UNKNOWN else value for value in directory.numbers(_SAMPLE_FORMAT)}
        default = 3 if compression in _JPEG and photometric in {_RGB, _YCBCR} else 1
        return cls(
            photometric, bits[0], len(set(bits)) == 1 and len(formats) <= 1, min(formats, default=_UNSIGNED),
            directory.number(_SAMPLES, default), directory.numbers(_EXTRA), directory.number(_PLANAR, 1), compression,
            directory.number(_INKS, 1),
        )  # fmt: skip

    def check(self) -> None:
        if self.compression not in _READ_COMPRESSIONS:
            raise _unsupported(f"compression {self.compression}")
        if not self.even or (self.bits, self.format) not in _READ.get(self.photometric, ()):
            raise _unsupported(self._name())
        if self.compression in _JPEG and self.bits != 8:
            raise _unsupported(f"{self._name()}, JPEG")
        further = self.samples - _CHANNELS.get(self.photometric, 1)
        if further < 0 or (further and not self._reads_further(further)) or self.inks != 1:
            raise _unsupported(f"{self._name()} in {self.samples} channels")
        if self.planar == _SEPARATE and self.samples > 1 and self.photometric not in {_RGB, _CMYK}:
            raise _unsupported(f"{self._name()} in separate planes")

    def _reads_further(self, further: int) -> bool:
        """Alpha, and channels that mean nothing; alpha beside ink is not read."""
        if self.bits == 16:
            return self.photometric == _RGB and further == 1
        alpha = not {1, 2}.isdisjoint(self.extra)
        if self.photometric == _CMYK:
            return not alpha and len(self.extra) == further
        if self.planar == _SEPARATE and further > 1:
            return False
        return self.bits == 8 and self.photometric in {_BLACK_IS_ZERO, _RGB, _PALETTE}

    def _name(self) -> str:
        meant = _FORMATS.get(self.format, "")
        name = _NAMES.get(self.photometric, f"colour space {self.photometric}")
        return f"{name} of {self.bits} bits{', ' * bool(meant)}{meant}"


def _refuse_raw(directory: Directory, *, is_canon: bool) -> None:
    """Refuse raw photos: files with the values of a camera's sensor, which may begin with a thumbnail."""
    reduced = directory.number(_SUBFILE, 0) & _REDUCED and _SUBDIRECTORIES in directory.tags
    if is_canon or _DNG in directory.tags or reduced or directory.number(_PHOTOMETRIC, 0) in _RAW:
        msg = "The file is a camera's raw photo (DNG or the like), which is not read: save it as a JPEG."
        raise UnsupportedImageError(msg)


def _unsupported(kind: str) -> UnsupportedImageError:
    return refuse_kind("a TIFF", kind, "a JPEG, a PNG or a TIFF of 8 bits")


def _rewrite(data: bytes, directory: Directory, changed: dict[int, tuple[str, list[int]]]) -> bytes:
    """The file with a new directory at its end, of the needed tags alone; values stay where they are, but for those of
    a BigTIFF, which becomes a TIFF: Pillow reads no big-endian ones.
    """
    layout = Layout(directory.layout.order, "I", "H")
    padding = bytes(-len(data) % 8)
    place = len(data) + len(padding)
    values = b""
    entries = []
    for number in sorted(_NEEDED & (directory.tags.keys() | changed.keys())):
        tag = directory.tags.get(number)
        if number in changed:
            code, numbers = changed[number]
            kind = _SHORT
            count = len(numbers)
            value = layout.pack(code, *numbers)
        elif tag is not None and directory.layout == layout:
            entries.append(layout.pack("H", number, tag.kind) + layout.pack("I", tag.count) + tag.value)
            continue
        else:
            kind, count, value = _narrow(directory, number, layout)
        if count:
            entry, values = _enter(layout, (number, kind, count), value, place, values)
            entries.append(entry)
    start = place + len(values)
    head = data[:2] + layout.pack("H", _TIFF) + layout.pack("I", start)
    end = layout.pack("H", len(entries)) + b"".join(entries) + layout.pack("I", 0)
    return b"".join([head, memoryview(data)[len(head) :], padding, values, end])


def _narrow(directory: Directory, number: int, layout: Layout) -> tuple[int, int, bytes]:
    """Kind, count and bytes of a BigTIFF's tag for a TIFF, which has no numbers of 64 bits."""
    tag = directory.tags[number]
    content = directory.content(number)
    if tag.kind not in _LONGER:
        return tag.kind, tag.count if content else 0, content
    numbers = directory.numbers(number)
    return _LONG, len(numbers), layout.pack("I", *numbers)


def _enter(layout: Layout, tag: tuple[int, int, int], value: bytes, place: int, values: bytes) -> tuple[bytes, bytes]:
    """A tag, by number, kind and count, and the values that stand beside the directory with its own among them."""
    head = layout.pack("H", *tag[:2]) + layout.pack("I", tag[2])
    if len(value) <= 4:
        return head + value.ljust(4, b"\0"), values
    return head + layout.pack("I", place + len(values)), values + value + bytes(len(value) % 2)
