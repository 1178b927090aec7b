"""Converts a decoded image of any mode to RGB, 8 bits a channel.

Alpha is flattened on white, the background of most pages. RGB and CMYK with an ICC profile are converted to sRGB; a
profile that cannot be used is ignored.
"""

import io
import re

from PIL import Image, ImageChops

BACKGROUND = (255, 255, 255)

_SPACES = {"RGB": b"RGB ", "RGBA": b"RGB ", "CMYK": b"CMYK"}
_DESCRIPTION_WITHIN = 4096
_STEPS = re.compile(b"mpet").finditer
_MAX_STEPS = 64


def to_rgb(image: Image.Image, profile: bytes = b"") -> Image.Image:
    """The photo in mode RGB, its colours converted by an ICC profile. Raises ValueError for a mode that has no way to
    it.
    """
    image = _widen(image)
    if image.mode in {"I", "F"}:
        image = _stretch(image)
    if profile and _SPACES.get(image.mode) == profile[16:20] and not (_is_srgb(profile) or _takes_long(profile)):
        image = _convert(image, profile)
    if image.has_transparency_data:
        return _flatten(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def to_colour(image: Image.Image, sufficient_side: int, profile: bytes = b"") -> Image.Image:
    """The photo in mode RGB or, where it was, YCbCr; shrunk by a whole number as long as no side gets below
    `sufficient_side`.

    Shrinking averages squares of pixels, and comes before whatever would copy all of them. Raises as `to_rgb`.
    """
    image = _widen(image)
    factor = min(image.size) // sufficient_side
    if factor > 1:
        image = image.reduce(factor)
    return image if image.mode == "YCbCr" else to_rgb(image, profile)


def to_grey(image: Image.Image, *, inverted: bool, unsigned: bool) -> Image.Image:
    """The photo in mode L, from grey of more than 8 bits that may be a negative, or integers without a sign."""
    image = _take_high_bits(image) if unsigned else _widen(image)
    if image.mode in {"I", "F"}:
        image = _stretch(image)
    return ImageChops.invert(image) if inverted else image


def _is_srgb(profile: bytes) -> bool:
    """Whether a profile says so in its description, in one of the two encodings that there are."""
    return any(name in profile[:_DESCRIPTION_WITHIN] for name in (b"sRGB", "sRGB".encode("utf-16-be")))


def _takes_long(profile: bytes) -> bool:
    """Whether a profile has a colour go through more steps than any that is meant to be used: ICC.1:2010, 10.14."""
    return any(int.from_bytes(profile[found.end() + 8 : found.end() + 12]) > _MAX_STEPS for found in _STEPS(profile))


def _convert(image: Image.Image, profile: bytes) -> Image.Image:
    """The photo in sRGB, or as it is if the profile is broken."""
    from PIL import ImageCms  # most images have no other profile than sRGB

    mode = "RGB" if image.mode == "CMYK" else image.mode
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, source, target, ImageCms.Intent.RELATIVE_COLORIMETRIC, mode) or image
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return image


def _widen(image: Image.Image) -> Image.Image:
    """Modes whose values cannot be averaged, turned into ones whose can: palettes, single bits, 16 bits."""
    if image.mode.startswith("I;16"):
        return _take_first_eight_bits(image)
    if image.mode in {"P", "PA"}:
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    if "transparency" in image.info:
        return image.convert("RGBA")
    return image.convert("L") if image.mode == "1" else image


def _take_first_eight_bits(image: Image.Image) -> Image.Image:
    wide = image.convert("I")
    grey = wide.point([value >> 8 for value in range(2**16)], "L")
    transparent = image.info.get("transparency")
    if not isinstance(transparent, int):
        return grey
    opacity = wide.point([255 * (value != transparent) for value in range(2**16)], "L")
    return Image.merge("LA", (grey, opacity))


def _take_high_bits(image: Image.Image) -> Image.Image:
    import numpy as np  # see `_stretch`

    return Image.fromarray((np.array(image).view(np.uint32) >> 24).astype(np.uint8))


def _stretch(image: Image.Image) -> Image.Image:
    """Grey from floats between 0 and 1, black and white by convention; other floats and 32-bit integers are scaled from
    the smallest to the largest value.
    """
    import numpy as np  # imported only here: it is large, and such images are rare

    values = np.nan_to_num(np.asarray(image, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    if image.mode == "F" and values.min() >= 0 and values.max() <= 1:
        return Image.fromarray((values * 255 + 0.5).astype(np.uint8))
    values -= values.min()
    largest = values.max()
    if largest > 0:
        values *= 255 / largest
    return Image.fromarray(values.astype(np.uint8))


def _flatten(image: Image.Image) -> Image.Image:
    if image.mode == "La":
        image = image.convert("LA")
    image = image.convert("RGBA")
    flat = Image.new("RGB", image.size, BACKGROUND)
    flat.paste(image, mask=image.getchannel("A"))
    return flat
