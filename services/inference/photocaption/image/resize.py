"""Brings a decoded photo to the encoder's input size, for training, evaluation and serving alike.

It does without NumPy, which would more than double the memory of the decoding processes.
"""

from typing import Protocol

from PIL import Image


class InputSpec(Protocol):
    """The encoder's input, as a manifest's `ImageSpec` has it, of which the processes that decode know nothing.

    `width` and `height`: in pixels; `canonical_size`: side of the square in between, None for no detour.
    """

    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def canonical_size(self) -> int | None: ...


def resize(image: Image.Image, spec: InputSpec) -> Image.Image:
    """Squash a photo, in RGB or YCbCr, to the canonical form and resize that to the encoder's input, in RGB.

    The detour makes a large original look as soft as the images that the model has learnt from
    (docs/architecture.md). From there on it is the bicubic filter, as in training.
    """
    if image.mode == "YCbCr":
        return _resize_planes(image, spec)
    if spec.canonical_size is not None:
        image = _make_canonical(image, spec.canonical_size)
    return image.resize((spec.width, spec.height), Image.Resampling.BICUBIC)


def _make_canonical(image: Image.Image, side: int) -> Image.Image:
    """The photo as a square, with colour at half the resolution of brightness, as JPEG keeps it."""
    brightness, *colours = _squash(image, side).convert("YCbCr").split()
    smooth = [_squash(_squash(colour, side // 2), side) for colour in colours]
    return Image.merge("YCbCr", (brightness, *smooth)).convert("RGB")


def _resize_planes(image: Image.Image, spec: InputSpec) -> Image.Image:
    """Nearly the same, by way of brightness and colour alone, in three quarters of the time: values differ by about
    one.
    """
    size = (spec.width, spec.height)
    side = spec.canonical_size
    brightness, *colours = image.split()
    colours = [colour.reduce(2) for colour in colours]  # from here on it has half the resolution, as JPEG keeps it
    if side is not None:
        brightness = _squash(brightness, side)
        colours = [_squash(colour, side // 2) for colour in colours]
    planes = [brightness.resize(size, Image.Resampling.BICUBIC)]
    planes += [colour.resize(size, Image.Resampling.BILINEAR) for colour in colours]
    return Image.merge("YCbCr", planes).convert("RGB")


def _squash(image: Image.Image, side: int) -> Image.Image:
    """A square, of one pixel at least. Pillow's bilinear filter averages over the source pixels when it shrinks, and
    takes half as long as the bicubic one.
    """
    side = max(1, side)
    return image.resize((side, side), Image.Resampling.BILINEAR)
