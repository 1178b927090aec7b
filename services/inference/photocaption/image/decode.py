"""Decodes untrusted bytes to an RGB image, or raises an error that says what is wrong with them.

The format is detected from the first bytes, never from a name or header, and only that format's decoder is used. A
module for each format (`jpeg`, `png`, `gif`, `tiff`, `webp`, `boxes`) extracts what the decoder needs for the pixels,
reads orientation and colour profile, and refuses unsupported variants and files with an excessive structure. Sizes are
checked before pixels are decoded. Of several frames the first is read. docs/formats.md has the whole table.

For damaged files Pillow raises more than it documents, such as OSError, SyntaxError, ValueError and IndexError. So
here, and only here, every exception of a library means that its input is damaged.
"""

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

# Importing a plugin registers it: Pillow would otherwise load all that it has at the first WebP or TIFF.
from PIL import (
    BmpImagePlugin,  # noqa: F401
    GifImagePlugin,  # noqa: F401
    Image,
    ImageChops,
    JpegImagePlugin,
    PngImagePlugin,  # noqa: F401
    TiffImagePlugin,
    WebPImagePlugin,  # noqa: F401
)

from photocaption.caption import ImageProperties
from photocaption.errors import (
    ImageError,
    ImageTooLargeError,
    LongDecodingError,
    UndecodableImageError,
    UnsupportedImageError,
)
from photocaption.image import boxes
from photocaption.image.avif import read_avif
from photocaption.image.colour import BACKGROUND, to_colour, to_grey, to_rgb
from photocaption.image.exif import ORIENTATION
from photocaption.image.gif import read_gif
from photocaption.image.heic import HeicImage
from photocaption.image.jpeg import append_noise, read_jpeg
from photocaption.image.png import read_png
from photocaption.image.stripped import StrippedFile, refuse_kind
from photocaption.image.tiff import read_tiff
from photocaption.image.webp import read_webp

# Pillow warns of irregularities in files, and Python keeps every different warning: untrusted files could fill the log
# and the memory with them. What matters is checked here.
warnings.filterwarnings("ignore", module=r"PIL\.")

# Pillow's own reading of what is not compressed mixes up planes of 16 bits.
TiffImagePlugin.READ_LIBTIFF = True


@dataclass(frozen=True, slots=True)
class _Format:
    """How a file is reduced to what its pixels need, and what decoding costs.

    `weight`: memory for a pixel, and `seconds`: processor time that a photo may take, relative to JPEG; `brief_bytes`:
    size up to which a file is expected to be decoded quickly, see `brief` of `decode`.
    """

    read: Callable[[bytes], StrippedFile]
    weight: float = 1.0
    seconds: float = 1.0
    brief_bytes: int = 8 * 2**20


_FORMATS = {
    "JPEG": _Format(read_jpeg),
    "PNG": _Format(read_png),
    "WebP": _Format(read_webp, weight=2.0),
    "HEIC": _Format(
        partial(boxes.hide_metadata, format_name="HEIC", coding=b"hvc1"), weight=0.5, seconds=3.0, brief_bytes=3 * 2**19
    ),
    "AVIF": _Format(read_avif, seconds=3.0, brief_bytes=3 * 2**19),  # noise of 4 megapixels in 7 MB takes 0.4 s
    "GIF": _Format(read_gif),
    "BMP": _Format(StrippedFile),
    "TIFF": _Format(read_tiff),
}
FORMATS = tuple(_FORMATS)
_KNOWN = ", ".join(FORMATS[:-1]) + " or " + FORMATS[-1]
UNKNOWN_FORMAT = f"The file is not a photo of a known format: send {_KNOWN}."

_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
)

_TILE = (322, 323)  # a TIFF's tags of the width and length of its tiles
_NO_BMP = "Unsupported BMP "
_NO_COLOURS = "Conversion from YUV failed"
_TOO_LARGE = (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError)
BYTES_A_PIXEL = 9  # see `ImageLimits`
# libtiff gives values in the machine's byte order; Pillow takes these for those of the file.
_NATIVE = {
    "F;32F": "F;32NF", "F;32BF": "F;32NF", "I;32S": "I;32NS", "I;32BS": "I;32NS", "I;16S": "I;16NS", "I;16BS": "I;16NS",
}  # fmt: skip

# A scan of a progressive JPEG costs half a nanosecond a pixel; programs write about ten.
_MAX_SCANS_OF_LARGEST = 6
# Some cameras leave out the end of a JPEG, and the last bits of its last square.
_PIXELS_A_MISSING_ONE = 1_000
# Below these, a photo takes less than a tenth of a second, as most do: see `brief`.
_BRIEF_HELD = 4_000_000  # pixels
_BRIEF_SCANNED = 40_000_000
_BRIEF_FILE_BYTES = 16 * 2**20  # before it is known what of them pixels need
_LONG = "The photo takes long to decode."

_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = frozenset({5, 6, 7, 8})


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """The largest image that is decoded, in pixels.

    `max_pixels`: of a JPEG, which is shrunk while it is decoded; `max_held_pixels`: of anything that has to be held in
    full, which takes up to 9 bytes a pixel, twice as many for WebP and half as many for HEIC: 180 MB. Of a progressive
    JPEG the coefficients are held, two bytes each. `max_side`: in width or height.
    """

    max_pixels: int = 50_000_000
    max_held_pixels: int = 20_000_000
    max_side: int = 20_000

    def check_sides(self, width: int, height: int) -> None:
        """Raise ImageTooLargeError for an image that is too large for any format."""
        if width * height > self.max_pixels or max(width, height) > self.max_side:
            raise self.refuse(width, height)

    def refuse(self, width: int, height: int) -> ImageTooLargeError:
        """The error for an image of this size."""
        return ImageTooLargeError(f"The photo has {width} × {height} pixels. {self.explain()}")

    def explain(self) -> str:
        """The limits of all formats, in a sentence."""
        held = self.max_held_pixels / 1e6
        return (
            f"At most {self.max_side} pixels a side are read, and in all {self.max_pixels / 1e6:g} megapixels of a "
            f"JPEG, {2 * held:g} of a HEIC (about half with 10 bits), {held:g} of an AVIF, PNG, GIF, BMP or TIFF, "
            f"{held / 2:g} of a WebP, and about {1.25 * held:g} of a progressive JPEG."
        )


@dataclass(frozen=True, slots=True)
class _Options:
    """Those of `decode`."""

    limits: ImageLimits
    sufficient_side: int | None
    brief: bool


_LIMITS = ImageLimits()


def decode(
    data: bytes, limits: ImageLimits = _LIMITS, *, sufficient_side: int | None = None, brief: bool = False
) -> tuple[Image.Image, ImageProperties]:
    """The photo as a person sees it, in RGB, and what the file holds.

    With a `sufficient_side`, a large image is reduced by an integer factor as long as no side gets below that, in a
    fraction of the time and memory; it may then be in YCbCr, as JPEG stores it. `ImageProperties` has the full size.
    With `brief`, an image that would take longer than most raises LongDecodingError.

    Raises UnsupportedImageError, UndecodableImageError, ImageTooLargeError.
    """
    format_name = _recognise(data)
    if brief and len(data) > _BRIEF_FILE_BYTES:
        raise LongDecodingError(_LONG)
    try:
        image, size = _load(data, format_name, _Options(limits, sufficient_side, brief))
    except ImageError:
        raise
    except Exception as error:  # see the module's docstring
        if isinstance(error, _TOO_LARGE) or "memory" in str(error).lower():
            msg = f"The photo is too large. {limits.explain()}"
            raise ImageTooLargeError(msg) from error
        if kind := _name_kind(str(error)):
            raise refuse_kind(format_name, kind) from error
        msg = f"The photo looks like {format_name}, but it is damaged or incomplete."
        raise UndecodableImageError(msg) from error
    return image, ImageProperties(*size, format_name)


def _name_kind(reason: str) -> str | None:
    """The unsupported variant that a decoder's message names; None for other messages."""
    if reason.startswith(_NO_COLOURS):
        return "the matrix of its colours"
    return reason.removeprefix(_NO_BMP) if reason.startswith(_NO_BMP) else None


def find_time_factor(data: bytes) -> float:
    """Processor time that the photo's format may take, relative to JPEG."""
    return _FORMATS[boxes.recognise(data) or "JPEG"].seconds


def _recognise(data: bytes) -> str:
    for signature, format_name in _SIGNATURES:
        if data.startswith(signature):
            return format_name
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WebP"
    if in_boxes := boxes.recognise(data):
        return in_boxes
    raise UnsupportedImageError(f"The file is empty: send {_KNOWN}." if not data else UNKNOWN_FORMAT)


def _load(data: bytes, format_name: str, options: _Options) -> tuple[Image.Image, tuple[int, int]]:
    """The upright image, and its size before any reduction."""
    stripped = _FORMATS[format_name].read(data)
    if format_name == "HEIC":
        return _decode_heic(stripped, options)
    image, (width, height), orientation = _decode_stripped(stripped, format_name, options)
    if not stripped.complete:
        again, *_ = _decode_stripped(replace(stripped, data=append_noise(stripped.data)), format_name, options)
        if _count_differing(image, again) * _PIXELS_A_MISSING_ONE > image.width * image.height:
            raise ValueError("cut off before its last pixel")
    if orientation in _TRANSPOSITIONS:
        image = image.transpose(_TRANSPOSITIONS[orientation])
    return image, (height, width) if orientation in _SIDEWAYS else (width, height)


def _count_differing(image: Image.Image, other: Image.Image) -> int:
    difference = ImageChops.difference(image, other)
    return max(sum(band.histogram()[1:]) for band in difference.split())


def _decode_heic(stripped: StrippedFile, options: _Options) -> tuple[Image.Image, tuple[int, int]]:
    heic = HeicImage(stripped.data)
    width, height = heic.size
    options.limits.check_sides(width, height)
    _check_cost(stripped, "HEIC", heic.size, width * height, options)
    factor = max(1, min(heic.size) // (options.sufficient_side or max(heic.size)))
    return to_rgb(heic.read(factor), heic.profile), heic.size


def _decode_stripped(
    stripped: StrippedFile, format_name: str, options: _Options
) -> tuple[Image.Image, tuple[int, int], int]:
    """The image, its size before any reduction, and its orientation."""
    sufficient_side = options.sufficient_side
    with _open(stripped.data, format_name) as image:
        if format_name == "AVIF":  # whose decoder gives its properties so
            orientation = image.getexif().get(ORIENTATION, 1)
            profile = image.info.get("icc_profile", b"")
            stripped = replace(stripped, orientation=orientation, profile=profile)
        if stripped.aperture is not None:
            options.limits.check_sides(*image.size)
            stripped = replace(stripped, canvas=stripped.aperture.place(*image.size))
        width, height = image.size if stripped.canvas is None else stripped.canvas[:2]
        options.limits.check_sides(width, height)
        if sufficient_side is not None:
            shrinks = min(width, height) >= 2 * sufficient_side
            mode = "YCbCr" if shrinks and not stripped.profile and _keeps_ycbcr(image) else None
            image.draft(mode, (sufficient_side, sufficient_side))
        held = _count_held(image, width * height, format_name)
        _check_cost(stripped, format_name, (width, height), held, options)
        _use_native_order(image)
        image.load()
        pixels = _complete(image, stripped)
    if sufficient_side is None:
        return to_rgb(pixels, stripped.profile), (width, height), stripped.orientation
    return to_colour(pixels, sufficient_side, stripped.profile), (width, height), stripped.orientation


def _open(data: bytes, format_name: str) -> Image.Image:
    if format_name == "AVIF":
        from PIL import AvifImagePlugin  # large, and rare

        AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # photos side by side keep the processor busy enough
    return Image.open(io.BytesIO(data), formats=[format_name])


def _use_native_order(image: Image.Image) -> None:
    if isinstance(image, TiffImagePlugin.TiffImageFile) and image.tile and isinstance(image.tile[0].args, tuple):
        raw_mode, *others = image.tile[0].args
        image.tile = [image.tile[0]._replace(args=(_NATIVE.get(raw_mode, raw_mode), *others))]


def _complete(image: Image.Image, stripped: StrippedFile) -> Image.Image:
    """The decoded image, on its canvas and with its grey values as the metadata says."""
    if stripped.inverted or stripped.unsigned:
        return to_grey(image, inverted=stripped.inverted, unsigned=stripped.unsigned)
    if stripped.canvas is None or stripped.canvas == (*image.size, 0, 0):
        return image
    width, height, left, top = stripped.canvas
    canvas = Image.new("RGB", (width, height), BACKGROUND)
    canvas.paste(to_rgb(image), (left, top))
    return canvas


def _keeps_ycbcr(image: Image.Image) -> bool:
    """Whether a JPEG stores YCbCr for certain. Its decoder, which looks at the same markers, gives YCbCr as it is or as
    RGB, and fails when it is asked for YCbCr of a file that stores RGB.
    """
    if not isinstance(image, JpegImagePlugin.JpegImageFile) or image.mode != "RGB":
        return False
    transform = image.info.get("adobe_transform", 1 if "jfif" in image.info else None)
    return transform == 1 and bytes(component[0] for component in image.layer) != b"RGB"


def _count_held(image: Image.Image, pixels: int, format_name: str) -> float:
    """The memory for an image in pixels, after its decoder's reduction was set."""
    if format_name == "GIF":
        return pixels
    width, height = image.size
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        across, down = (int(image.tag_v2.get(tag, 0)) for tag in _TILE)
        return max(width * height, across * down)  # tiles are held whole
    if not isinstance(image, JpegImagePlugin.JpegImageFile) or not image.info.get("progressive"):
        return width * height
    # Its scans each touch the whole image, as coefficients of two bytes: it is shrunk only after the last.
    factors = [(across, down) for _, across, down, _ in image.layer]
    most = max(across for across, _ in factors) * max(down for _, down in factors)
    return width * height + pixels * 2 * sum(across * down for across, down in factors) / most / BYTES_A_PIXEL


def _check_cost(
    stripped: StrippedFile, format_name: str, size: tuple[int, int], held: float, options: _Options
) -> None:
    """Raise an error for an image that needs more memory or time than it may; `held`: pixels that are in memory."""
    limits = options.limits
    cost = _FORMATS[format_name]
    if held * cost.weight > limits.max_held_pixels:
        raise limits.refuse(*size)
    scanned = size[0] * size[1] * stripped.scans
    if stripped.scans > 1 and scanned > _MAX_SCANS_OF_LARGEST * limits.max_pixels:
        times = f"{stripped.scans} times through its {size[0]} × {size[1]} pixels"
        raise ImageTooLargeError(f"The photo goes {times}: save it as an ordinary JPEG.")
    long = held * cost.weight > _BRIEF_HELD or scanned > _BRIEF_SCANNED or len(stripped.data) > cost.brief_bytes
    if options.brief and long:
        raise LongDecodingError(_LONG)
