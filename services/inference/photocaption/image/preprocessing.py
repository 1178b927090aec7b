"""Turns a decoded photo into the encoder's input."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from photocaption.image.resize import InputSpec, resize


def prepare(image: Image.Image, spec: InputSpec) -> npt.NDArray[np.uint8]:
    """An RGB photo as uint8 [height, width, 3], resized as `resize` does."""
    return np.array(resize(image, spec))
