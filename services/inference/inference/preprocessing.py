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
    (docs/architecture.md). Pillow's filters average over the source pixels when they shrink, and a size that already
    fits is left as it is. To the canonical size it is the bilinear one, which takes half as long and depends less on
    the size of the original; from there the bicubic one, as in training.
    """
    if spec.canonical_size is not None:
        image = image.resize((spec.canonical_size, spec.canonical_size), Image.Resampling.BILINEAR)
    return np.array(image.resize((spec.width, spec.height), Image.Resampling.BICUBIC))
