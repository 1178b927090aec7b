"""Photos made on the spot: coloured, textured, in any format and size."""

import io
import random

from PIL import Image


def make_photo(width: int = 320, height: int = 240, *, kind: str = "JPEG", seed: int = 0, noise: bool = False) -> bytes:
    """Bytes of a picture with a gradient of its own; `noise` makes it hard to compress."""
    chance = random.Random(seed)
    image = Image.linear_gradient("L").resize((width, height))
    bands = [image.point([min(255, value * chance.randint(60, 255) // 255) for value in range(256)]) for _ in "RGB"]
    photo = Image.merge("RGB", bands)
    if noise:
        photo = Image.blend(photo, Image.frombytes("RGB", (width, height), chance.randbytes(width * height * 3)), 0.7)
    buffer = io.BytesIO()
    photo.save(buffer, kind)
    return buffer.getvalue()
