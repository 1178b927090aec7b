"""Decodes the bytes of strangers: an RGB picture comes out, or an error that says what is wrong with the bytes.

The format is judged by the first bytes, never by a name or header, and only that format's decoder gets to see them.
Sizes are checked before any pixel is decoded. Of a picture with several frames the first is read. What Pillow raises on
damaged bytes goes well beyond what it documents (OSError, SyntaxError, ValueError, struct.error and others were seen),
so that here, and only here, every exception of a library is taken for a verdict on its input.
"""

import hashlib
import io
from dataclasses import dataclass

# Importing a plugin registers it: Pillow would otherwise load all that it has at the first WebP or TIFF.
from PIL import (
    BmpImagePlugin,  # noqa: F401
    ExifTags,
    GifImagePlugin,  # noqa: F401
    Image,
    JpegImagePlugin,  # noqa: F401
    PngImagePlugin,  # noqa: F401
    TiffImagePlugin,  # noqa: F401
    WebPImagePlugin,  # noqa: F401
)

from inference.colour import to_rgb
from inference.errors import ImageTooLargeError, UndecodableImageError, UnsupportedImageError
from inference.result import ImageInfo

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
    """The largest picture that is decoded: `max_pixels` in all, `max_side` pixels in width or height."""

    max_pixels: int = 50_000_000
    max_side: int = 20_000


def decode(
    data: bytes,
    limits: ImageLimits = ImageLimits(),
    *,
    sufficient_side: int | None = None,
) -> tuple[Image.Image, ImageInfo]:
    """The picture as a person sees it, in RGB, and what was sent.

    A JPEG may come out smaller than it is, by 2, 4 or 8 in both directions, but with no side below `sufficient_side`:
    its decoder shrinks as it decodes, which takes a fraction of the time and memory. None decodes every pixel.
    `ImageInfo` has the full size.

    Raises UnsupportedImageError, UndecodableImageError, ImageTooLargeError.
    """
    format_name = _recognise(data)
    try:
        image, size = _load(data, format_name, limits, sufficient_side)
    except ImageTooLargeError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError) as error:
        raise ImageTooLargeError(_describe_limits(limits)) from error
    except Exception as error:  # see the module's docstring
        msg = f"The picture looks like {format_name}, but it is damaged or incomplete."
        raise UndecodableImageError(msg) from error
    return image, ImageInfo(*size, format=format_name, sha256=hashlib.sha256(data).hexdigest())


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
    with Image.open(io.BytesIO(data), formats=[format_name]) as image:
        width, height = image.size
        _check_size(width, height, limits)
        # Pillow turns TIFF by itself as it loads, and gives its size as turned.
        orientation = 1 if format_name == "TIFF" else _read_orientation(image)
        if sufficient_side is not None:
            image.draft(None, (sufficient_side, sufficient_side))
        rgb = to_rgb(image)
        turn = _TURNS.get(orientation)
        size = (height, width) if orientation in _SIDEWAYS else (width, height)
        return (rgb.transpose(turn) if turn is not None else rgb.copy()), size


def _check_size(width: int, height: int, limits: ImageLimits) -> None:
    if width * height > limits.max_pixels or max(width, height) > limits.max_side:
        msg = f"The picture has {width} × {height} pixels. {_describe_limits(limits)}"
        raise ImageTooLargeError(msg)


def _describe_limits(limits: ImageLimits) -> str:
    return f"At most {limits.max_pixels / 1e6:g} megapixels, and {limits.max_side} pixels a side, are read."


def _read_orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 where there is none that can be read: damaged metadata is no reason to refuse a photo."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # see the module's docstring
        return 1
    return orientation if isinstance(orientation, int) else 1
