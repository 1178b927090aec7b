"""Decodes the bytes of strangers: an RGB picture comes out, or an error that says what is wrong with the bytes.

The format is judged by the first bytes, never by a name or header, and only that format's decoder gets to see them.
Structure and size are checked before any pixel is decoded. Of a picture with several frames the first is read.

What Pillow raises on damaged bytes goes well beyond what it documents: OSError, SyntaxError, ValueError, IndexError and
others were seen. So here, and only here, every exception of a library is taken for a verdict on its input.
"""

import io
import warnings
from dataclasses import dataclass

# Importing a plugin registers it: Pillow would otherwise load all that it has at the first WebP or TIFF.
from PIL import (
    BmpImagePlugin,  # noqa: F401
    GifImagePlugin,  # noqa: F401
    Image,
    JpegImagePlugin,
    PngImagePlugin,  # noqa: F401
    TiffImagePlugin,  # noqa: F401
    WebPImagePlugin,  # noqa: F401
)

from inference.caption import PictureInfo
from inference.errors import ImageTooLargeError, UndecodableImageError, UnsupportedImageError
from inference.image.colour import to_colour, to_rgb
from inference.image.exif import read_orientation
from inference.image.structure import check_structure

# Pillow warns of each oddity in a file, and Python remembers every different warning for good: strangers could fill the
# log with them, and the memory. What matters of it is checked here.
warnings.filterwarnings("ignore", module=r"PIL\.")

FORMATS = ("JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF")

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

_TURNS = {
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
    """The largest picture that is decoded, in pixels.

    `max_pixels`: of a JPEG, which is shrunk while it is decoded; `max_held_pixels`: of anything that has to be held in
    full, which takes up to 9 bytes a pixel, and twice as many for WebP: 180 MB; `max_side`: in width or height.
    """

    max_pixels: int = 50_000_000
    max_held_pixels: int = 20_000_000
    max_side: int = 20_000


_LIMITS = ImageLimits()


def decode(
    data: bytes, limits: ImageLimits = _LIMITS, *, sufficient_side: int | None = None
) -> tuple[Image.Image, PictureInfo]:
    """The picture as a person sees it, in RGB, and what the file holds.

    With a `sufficient_side` a large picture comes out smaller than it is, by a whole factor and with no side below
    that: for whoever resizes it anyway, in a fraction of the time and memory. It may then come in YCbCr, as JPEG keeps
    it. `PictureInfo` has the full size.

    Raises UnsupportedImageError, UndecodableImageError, ImageTooLargeError.
    """
    format_name = _recognise(data)
    try:
        check_structure(data, format_name)
        image, size = _load(data, format_name, limits, sufficient_side)
    except ImageTooLargeError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError) as error:
        msg = f"The picture is too large. {_describe(limits)}"
        raise ImageTooLargeError(msg) from error
    except Exception as error:  # see the module's docstring
        msg = f"The picture looks like {format_name}, but it is damaged or incomplete."
        raise UndecodableImageError(msg) from error
    return image, PictureInfo(*size, format_name)


def _recognise(data: bytes) -> str:
    for signature, format_name in _SIGNATURES:
        if data.startswith(signature):
            return format_name
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WebP"
    known = ", ".join(FORMATS[:-1]) + " or " + FORMATS[-1]
    reason = "The file is empty" if not data else "The file is not a picture of a known format"
    msg = f"{reason}: send {known}."
    raise UnsupportedImageError(msg)


def _load(
    data: bytes, format_name: str, limits: ImageLimits, sufficient_side: int | None
) -> tuple[Image.Image, tuple[int, int]]:
    """The picture, turned as it should be, and its size before any shrinking."""
    with Image.open(io.BytesIO(data), formats=[format_name]) as image:
        width, height = image.size
        _check_sides(width, height, limits)
        # Pillow turns TIFF by itself as it loads, and gives its size as turned.
        orientation = 1 if format_name == "TIFF" else _read_orientation(image)
        if sufficient_side is not None:
            shrinks = min(width, height) >= 2 * sufficient_side
            mode = "YCbCr" if shrinks and _keeps_ycbcr(image) else None
            image.draft(mode, (sufficient_side, sufficient_side))
        _check_held(image, (width, height), format_name, limits)
        image.load()
        picture = to_rgb(image) if sufficient_side is None else to_colour(image, sufficient_side)
    if orientation in _TURNS:
        picture = picture.transpose(_TURNS[orientation])
    return picture, (height, width) if orientation in _SIDEWAYS else (width, height)


def _keeps_ycbcr(image: Image.Image) -> bool:
    """Whether a JPEG has its colours in YCbCr for certain: its decoder, which decides by the same marks, gives them as
    they are or as RGB, and fails when it is asked for YCbCr and has red, green and blue.
    """
    if not isinstance(image, JpegImagePlugin.JpegImageFile) or image.mode != "RGB":
        return False
    transform = image.info.get("adobe_transform", 1 if "jfif" in image.info else None)
    return transform == 1 and bytes(component[0] for component in image.layer) != b"RGB"


def _check_sides(width: int, height: int, limits: ImageLimits) -> None:
    if width * height > limits.max_pixels or max(width, height) > limits.max_side:
        raise _refuse(width, height, limits)


def _check_held(image: Image.Image, size: tuple[int, int], format_name: str, limits: ImageLimits) -> None:
    """Check how much has to be held of a picture of this size, after its decoder was told what is sufficient."""
    # The scans of a progressive JPEG each touch the whole picture: it is shrunk only after the last.
    width, height = size if image.info.get("progressive") else image.size
    if width * height * (2 if format_name == "WebP" else 1) > limits.max_held_pixels:
        raise _refuse(*size, limits)


def _refuse(width: int, height: int, limits: ImageLimits) -> ImageTooLargeError:
    return ImageTooLargeError(f"The picture has {width} × {height} pixels. {_describe(limits)}")


def _describe(limits: ImageLimits) -> str:
    full, held = limits.max_pixels / 1e6, limits.max_held_pixels / 1e6
    return (
        f"At most {limits.max_side} pixels a side are read, and in all {full:g} megapixels of a JPEG, "
        f"{held:g} of a progressive JPEG, PNG, GIF, BMP or TIFF, and {held / 2:g} of a WebP."
    )


def _read_orientation(image: Image.Image) -> int:
    """The orientation that the EXIF metadata of a JPEG, PNG or WebP gives, 1 where there is none."""
    exif = image.info.get("exif")
    return read_orientation(exif.removeprefix(b"Exif\0\0")) if isinstance(exif, bytes) else 1
