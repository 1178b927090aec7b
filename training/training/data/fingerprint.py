"""What a cache key says of preprocessing: files that other code or other settings made are never taken for today's."""

import numpy as np
from PIL import Image

from photocaption.image import preprocessing
from photocaption.model.manifest import ImageSpec


def fingerprint(image: ImageSpec) -> bytes:
    """Bytes that differ wherever preprocessing makes something else of a photo: its settings, and a photo after it."""
    return image.model_dump_json().encode() + preprocessing.prepare(_make_probe(), image).tobytes()


def _make_probe() -> Image.Image:
    """An image in which every change of preprocessing shows: all values, in no order, in colour."""
    return Image.fromarray((np.arange(60 * 80 * 3) * 97 % 256).astype(np.uint8).reshape(60, 80, 3))
