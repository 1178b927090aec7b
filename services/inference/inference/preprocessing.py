"""Turns a decoded photo into the encoder's input: the one implementation, for training, evaluation and serving
alike."""

from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image


class InputSpec(Protocol):
    """What `prepare` has to know of a manifest's `ImageSpec`; the processes that decode know no manifest."""

    @property
    def width(self) -> int:
        """Of the encoder's input, in pixels."""

    @property
    def height(self) -> int:
        """Of the encoder's input, in pixels."""

    @property
    def canonical_size(self) -> int | None:
        """Side of the square in between, None for no detour."""


def prepare(image: Image.Image, spec: InputSpec) -> npt.NDArray[np.uint8]:
    """Squash an RGB photo to the canonical size and resize that to the encoder's input: uint8 [height, width, 3].

    The detour makes a large original look as soft as the pictures that the model has learnt from
    (docs/architecture.md). Pillow's bicubic filter averages over the source pixels when it shrinks, and a size that
    already fits is left as it is.
    """
    if spec.canonical_size is not None:
        image = image.resize((spec.canonical_size, spec.canonical_size), Image.Resampling.BICUBIC)
    return np.array(image.resize((spec.width, spec.height), Image.Resampling.BICUBIC))
