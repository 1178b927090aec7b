"""Brings a decoded photo to the encoder's input size, for training, evaluation and serving alike.

It needs no NumPy, which would take more memory than all else that the processes have which decode.
"""

from dataclasses import dataclass
from typing import Protocol

from PIL import Image

_SIDEWAYS = frozenset(
    {Image.Transpose.TRANSPOSE, Image.Transpose.TRANSVERSE, Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270}
)


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


@dataclass(frozen=True, slots=True)
class Shrunk:
    """A photo that was decoded no larger than needed.

    `image`: in RGB or YCbCr, as the file keeps it; `extent`: how many of its columns and rows the photo fills, for of
    the last it has but a part, unless its sides could be divided; `turn`: what is left to do for a person to see it
    upright.
    """

    image: Image.Image
    extent: tuple[float, float]
    turn: Image.Transpose | None = None


def resize(image: Image.Image, spec: InputSpec) -> Image.Image:
    """Squash a photo in RGB to the canonical form and resize that to the encoder's input.

    The detour makes a large original look as soft as the pictures that the model has learnt from
    (docs/architecture.md). From there on it is the bicubic filter, as in training.
    """
    return _resize_rgb(image, image.size, (spec.width, spec.height), spec.canonical_size)


def resize_shrunk(photo: Shrunk, spec: InputSpec) -> Image.Image:
    """The same for a photo that was decoded for it; upright, and in RGB."""
    size = (spec.height, spec.width) if photo.turn in _SIDEWAYS else (spec.width, spec.height)
    resize_colours = _resize_planes if photo.image.mode == "YCbCr" else _resize_rgb
    image = resize_colours(photo.image, photo.extent, size, spec.canonical_size)
    return image if photo.turn is None else image.transpose(photo.turn)


def _resize_rgb(
    image: Image.Image, extent: tuple[float, float], size: tuple[int, int], side: int | None
) -> Image.Image:
    if side is not None:
        image = _make_canonical(_squash(image, side, extent))
        extent = image.size
    return image.resize(size, Image.Resampling.BICUBIC, (0, 0, *extent))


def _make_canonical(square: Image.Image) -> Image.Image:
    """A square with colour at half the resolution of brightness, as JPEG keeps it."""
    brightness, *colours = square.convert("YCbCr").split()
    smooth = [_squash(_squash(colour, square.width // 2), square.width) for colour in colours]
    return Image.merge("YCbCr", (brightness, *smooth)).convert("RGB")


def _resize_planes(
    image: Image.Image, extent: tuple[float, float], size: tuple[int, int], side: int | None
) -> Image.Image:
    """Nearly the same, by way of brightness and colour alone, in two thirds of the time: values differ by about one."""
    brightness, *colours = image.split()
    # Colour has half the resolution, as JPEG keeps it, or what a square of half the sides has.
    factor = 2 if side is None else max(2, round(2 * min(extent) / side))
    colours = [colour.reduce(factor) for colour in colours]
    coarse = (extent[0] / factor, extent[1] / factor)
    if side is not None:
        brightness, extent = _squash(brightness, side, extent), (side, side)
        colours = [_squash(colour, side // 2, coarse) for colour in colours]
        coarse = colours[0].size
    planes = [brightness.resize(size, Image.Resampling.BICUBIC, (0, 0, *extent))]
    planes += [colour.resize(size, Image.Resampling.BILINEAR, (0, 0, *coarse)) for colour in colours]
    return Image.merge("YCbCr", planes).convert("RGB")


def _squash(image: Image.Image, side: int, extent: tuple[float, float] | None = None) -> Image.Image:
    """A square, of one pixel at least, from so many columns and rows. Pillow's bilinear filter averages over the source
    pixels when it shrinks, and takes half as long as the bicubic one.
    """
    side = max(1, side)
    return image.resize((side, side), Image.Resampling.BILINEAR, (0, 0, *(extent or image.size)))
