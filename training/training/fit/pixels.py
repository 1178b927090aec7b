"""Photos for end-to-end training: pixels in memory, and the random numbers of each view."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from photocaption.image import preprocessing
from photocaption.model.manifest import ImageSpec
from training.data.batches import Inputs, Places
from training.data.mixture import Mixture
from training.data.photo import Photo, read_image
from training.data.views import may_be_mirrored
from training.models.end_to_end_model import AS_IT_IS, MIRROR

Pixels = npt.NDArray[np.uint8]
Draws = npt.NDArray[np.float32]


class PixelStore:
    """The photos in memory, in the canonical form."""

    def __init__(self, photos: Sequence[Photo], side: int) -> None:
        spec = ImageSpec(height=side, width=side, canonical_size=side, resample="bicubic")

        def read(photo: Photo) -> Pixels:
            image = read_image(photo.path)
            return preprocessing.prepare(image, spec)

        with ThreadPoolExecutor() as pool:
            self._pixels = np.stack(list(pool.map(read, photos)))
        self._rows = {photo.sha256: row for row, photo in enumerate(photos)}

    def load(self, photos: Sequence[Photo]) -> Pixels:
        """Pixels uint8 [P, S, S, 3]."""
        return self._pixels[[self._rows[photo.sha256] for photo in photos]]


class PixelPhotos:
    """Training photos as pixels, with random views, and the targets of the tagger's losses."""

    def __init__(
        self, photos: Sequence[Photo], mixture: Mixture, store: PixelStore, targets: Sequence[npt.NDArray[Any]] = ()
    ) -> None:
        """`targets`: arrays [photos, …], whose rows are inputs after the random numbers."""
        self.photos, self.mixture, self._store, self._targets = photos, mixture, store, targets
        self._one_sided = np.array([not may_be_mirrored(photo) for photo in photos])

    def draw_views(self, random: np.random.Generator) -> Draws:
        """Random numbers [photos, 9] for `RandomView`; no mirror image where a caption would not hold for it."""
        draws = random.random((len(self.photos), len(AS_IT_IS)), np.float32)
        draws[self._one_sided, MIRROR] = AS_IT_IS[MIRROR]
        return draws

    def load_inputs(self, places: Places, views: Draws) -> Inputs:
        """Pixels uint8 [P, S, S, 3], random numbers [P, 9] and targets of the photos at `places`."""
        pixels = self._store.load([self.photos[place] for place in places])
        return pixels, views[places], *(target[places].astype(np.float32) for target in self._targets)
