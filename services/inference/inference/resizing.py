"""Brings a decoded photo to the encoder's input size, for training, evaluation and serving alike.

It needs no NumPy, which would take more memory than all else that the processes have which decode.
"""

from typing import Protocol

from PIL import Image


class InputSpec(Protocol):
    """What `resize` has to know of a manifest's `ImageSpec`; the processes that decode know no manifest."""

    @property
    def width(self) -> int:
        """Of the encoder's input, in pixels."""

    @property
    def height(self) -> int:
        """Of the encoder's input, in pixels."""

    @property
    def canonical_size(self) -> int | None:
        """Side of the square in between, None for no detour."""


def resize(image: Image.Image, spec: InputSpec) -> Image.Image:
    """Squash an RGB photo to the canonical form and resize that to the encoder's input.

    The detour makes a large original look as soft as the pictures that the model has learnt from
    (docs/architecture.md). From there on it is the bicubic filter, as in training.
    """
    if spec.canonical_size is not None:
        image = _make_canonical(image, spec.canonical_size)
    return image.resize((spec.width, spec.height), Image.Resampling.BICUBIC)


def _make_canonical(image: Image.Image, side: int) -> Image.Image:
    """The photo as a square, with colour at half the resolution of brightness, as JPEG keeps it.

    Pillow's bilinear filter averages over the source pixels when it shrinks, and takes half as long as the bicubic one.
    """
    square = image.resize((side, side), Image.Resampling.BILINEAR)
    brightness, *colours = square.convert("YCbCr").split()
    half = (max(1, side // 2), max(1, side // 2))
    coarse = [colour.resize(half, Image.Resampling.BILINEAR) for colour in colours]
    smooth = [colour.resize((side, side), Image.Resampling.BILINEAR) for colour in coarse]
    return Image.merge("YCbCr", (brightness, *smooth)).convert("RGB")
