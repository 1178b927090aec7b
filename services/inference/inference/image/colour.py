"""Turns whatever mode a decoded picture has into RGB, 8 bits a channel.

Alpha is flattened on white, the ground that most pages have. Embedded ICC profiles are ignored: they shift colours by
less than what separates two colour words. CMYK is converted without a profile for the same reason.
"""

from PIL import Image

_FIRST_EIGHT_BITS = [value >> 8 for value in range(2**16)]

GROUND = (255, 255, 255)


def to_rgb(image: Image.Image) -> Image.Image:
    """The picture in mode RGB. Raises ValueError for a mode that has no way to it."""
    image = _widen(image)
    if image.mode in {"I", "F"}:
        image = _stretch(image)
    if image.has_transparency_data:
        return _flatten(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def to_colour(image: Image.Image, sufficient_side: int) -> Image.Image:
    """The picture in mode RGB or, where it was, YCbCr; shrunk by a whole number as long as no side gets below
    `sufficient_side`.

    Shrinking averages squares of pixels, and comes before whatever would copy all of them. Raises as `to_rgb`.
    """
    image = _widen(image)
    factor = min(image.size) // sufficient_side
    if factor > 1:
        image = image.reduce(factor)
    return image if image.mode == "YCbCr" else to_rgb(image)


def _widen(image: Image.Image) -> Image.Image:
    """Modes whose values cannot be averaged, turned into ones whose can: palettes, single bits, 16 bits."""
    if image.mode.startswith("I;16"):
        return image.convert("I").point(_FIRST_EIGHT_BITS, "L")
    if image.mode in {"P", "PA"}:
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    if "transparency" in image.info:
        return image.convert("RGBA")
    return image.convert("L") if image.mode == "1" else image


def _stretch(image: Image.Image) -> Image.Image:
    """Grey from 32-bit integers or floats: for lack of an agreed range, the smallest is black and the largest white."""
    import numpy as np  # for nobody else here: it is large, and such pictures are rare

    values = np.nan_to_num(np.asarray(image, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    values -= values.min()
    largest = values.max()
    if largest > 0:
        values *= 255 / largest
    return Image.fromarray(values.astype(np.uint8))


def _flatten(image: Image.Image) -> Image.Image:
    if image.mode == "La":
        image = image.convert("LA")
    image = image.convert("RGBA")
    flat = Image.new("RGB", image.size, GROUND)
    flat.paste(image, mask=image.getchannel("A"))
    return flat
