"""The pixels of unusual files, and their transformations."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

WIDTH, HEIGHT = 46, 38

_TURNS: dict[int, Callable[[Pixels], Pixels]] = {
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: pixels.transpose(1, 0, 2),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).transpose(1, 0, 2),
    8: np.rot90,
}


@dataclass(frozen=True, slots=True)
class UnusualFile:
    """A file, its `pixels` [height, width, 3] as a viewer shows them, and the largest difference that is accepted."""

    data: bytes
    pixels: Pixels
    tolerance: int = 0


def make_pixels(channels: int = 3) -> Pixels:
    """[height, width, channels]: no two channels, rows or columns are alike."""
    rows, columns, channel = np.mgrid[:HEIGHT, :WIDTH, :channels]
    pixels: Pixels = ((rows * 5 + columns * 3 + channel * 61) % 256).astype(np.uint8)
    return pixels


def turn(pixels: Pixels, orientation: int) -> Pixels:
    """Pixels as they are seen that are stored in an orientation of EXIF."""
    return _TURNS[orientation](pixels) if orientation in _TURNS else pixels
