"""Turns whatever mode a decoded picture has into RGB, 8 bits a channel.

Alpha is flattened on white, the ground that most pages have. Embedded ICC profiles are ignored: they shift colours by
less than what separates two colour words. CMYK is converted without a profile for the same reason.
"""

import numpy as np
from PIL import Image

GROUND = (255, 255, 255)


def to_rgb(image: Image.Image) -> Image.Image:
    """The picture in mode RGB. Raises ValueError for a mode that has no way there."""
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode in {"I", "F"}:
        image = _stretch(image)
    if image.has_transparency_data:
        return _flatten(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _stretch(image: Image.Image) -> Image.Image:
    """Grey from 32-bit integers or floats, which have no agreed range: the smallest value is black, the largest
    white."""
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
