"""The part of a cache key that depends on preprocessing: other code or settings do not reuse old files."""

import numpy as np
from PIL import Image

from photocaption.image import preprocessing
from photocaption.model.manifest import ImageSpec


def fingerprint(image: ImageSpec) -> bytes:
    """Bytes that differ where preprocessing differs: its settings, and a test image after it."""
    return image.model_dump_json().encode() + preprocessing.prepare(_make_probe(), image).tobytes()


def _make_probe() -> Image.Image:
    """An image that every change of preprocessing changes: all values in all channels, unordered."""
    return Image.fromarray((np.arange(60 * 80 * 3) * 97 % 256).astype(np.uint8).reshape(60, 80, 3))
