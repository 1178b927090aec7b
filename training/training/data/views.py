"""Views of a training photo for data augmentation: the whole, and copies that are cropped, mirrored, reduced and
compressed as JPEG. Features of each are extracted once, and each batch picks one view at random.

Views are derived from the photo's hash: every run, on any machine, makes the same ones.
"""

import hashlib
import io
from dataclasses import astuple, dataclass

import numpy as np
from PIL import Image

from training.config import AugmentationConfig
from training.data.photo import Photo
from training.data.words import tokenise

# Captions with these words do not hold for a mirror image.
_SIDES = frozenset({"left", "right"})


@dataclass(frozen=True, slots=True)
class View:
    """A part of a photo, in shares of its width and height from the upper left corner, mirrored or not.

    `scale`: factor by which it is reduced; `quality`: of the JPEG as which it is then stored, 1 to 95, None where it is
    not.
    """

    left: float = 0.0
    top: float = 0.0
    right: float = 1.0
    bottom: float = 1.0
    mirrored: bool = False
    scale: float = 1.0
    quality: int | None = None

    @property
    def key(self) -> str:
        """Short hash of the view, different for different views; empty for the whole."""
        return "" if self == WHOLE else hashlib.sha256(repr(astuple(self)).encode()).hexdigest()[:8]

    def apply(self, image: Image.Image) -> Image.Image:
        """The view of an image: at least one pixel of it."""
        width, height = image.size
        left, top = min(int(self.left * width), width - 1), min(int(self.top * height), height - 1)
        right, bottom = max(round(self.right * width), left + 1), max(round(self.bottom * height), top + 1)
        part = image if self.key == "" else image.crop((left, top, right, bottom))
        part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if self.mirrored else part
        if self.scale < 1:
            smaller = [max(1, round(self.scale * side)) for side in part.size]
            part = part.resize((smaller[0], smaller[1]), Image.Resampling.BICUBIC)
        return part if self.quality is None else _keep_as_jpeg(part, self.quality)


WHOLE = View()

PhotoView = tuple[Photo, View]


def choose_views(photo: Photo, config: AugmentationConfig) -> tuple[View, ...]:
    """The views of a photo, the whole first. A photo whose captions speak of left or right is not mirrored."""
    random = np.random.default_rng(int(photo.sha256[:16], 16))
    mirrors = config.mirror and may_be_mirrored(photo)
    return (WHOLE, *(_degrade(random, config, mirrors=mirrors) for _ in range(config.copies)))


def may_be_mirrored(photo: Photo) -> bool:
    """Whether the captions of a photo hold for its mirror image too."""
    return not any(_SIDES.intersection(tokenise(caption)) for caption in photo.captions)


def _degrade(random: np.random.Generator, config: AugmentationConfig, *, mirrors: bool) -> View:
    """A random part of the photo, reduced and compressed as JPEG; one in two is mirrored where `mirrors`."""
    width, height = random.uniform(config.smallest_side, 1, 2)
    left, top = random.uniform(0, 1 - width), random.uniform(0, 1 - height)
    return View(
        left,
        top,
        left + width,
        top + height,
        mirrored=mirrors and bool(random.random() < 0.5),
        scale=float(random.uniform(config.smallest_scale, 1)),
        quality=int(random.integers(config.worst_quality, 96)),
    )


def _keep_as_jpeg(image: Image.Image, quality: int) -> Image.Image:
    data = io.BytesIO()
    image.save(data, "JPEG", quality=quality)
    return Image.open(data).convert("RGB")
