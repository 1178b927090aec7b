"""The trunk's feature maps of every photo, computed once and cached on disk.

A file is named by the hash of the trunk (its graph, its weights and the preprocessing), the hash of the photo's bytes
and the view of it, so that no outdated file is read and a renamed photo is not computed again. Files are written
atomically; an interrupted run continues with the next photo.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from photocaption.image import preprocessing
from photocaption.model.manifest import ImageSpec
from training.arrays import save_array
from training.data.fingerprint import fingerprint
from training.data.photo import Photo, read_image
from training.data.prefetch import prefetch
from training.data.views import WHOLE, PhotoView, View
from training.encoder.trunk import Maps
from training.progress import track


@dataclass(frozen=True, slots=True)
class MapCache:
    """Maps by photo, in one folder a trunk."""

    folder: Path

    @classmethod
    def for_trunk(cls, root: Path, trunk: bytes, image: ImageSpec) -> "MapCache":
        """The cache below `root` for a trunk, given as its ONNX bytes, and the preprocessing before it."""
        return cls(root / hashlib.sha256(trunk + fingerprint(image)).hexdigest()[:16])

    def path(self, photo: Photo, view: View = WHOLE) -> Path:
        """Where the maps of a view of a photo are, or will be."""
        name = f"{photo.sha256}-{view.key}" if view.key else photo.sha256
        return self.folder / photo.sha256[:2] / f"{name}.npy"

    def load(self, photos: Sequence[PhotoView]) -> Maps:
        """Maps [P, N, M] of views that were extracted."""
        return np.stack([np.load(self.path(*photo), allow_pickle=False) for photo in photos])

    def extract(
        self, photos: Sequence[PhotoView], encode: Callable[[npt.NDArray[np.uint8]], Maps], image: ImageSpec
    ) -> None:
        """Compute missing maps with the trunk's `encode`, showing progress. Photos are decoded one ahead."""
        missing = [photo for photo in dict.fromkeys(photos) if not self.path(*photo).exists()]

        def prepare(photo: PhotoView) -> npt.NDArray[np.uint8]:
            whole = read_image(photo[0].path)
            return preprocessing.prepare(photo[1].apply(whole), image)

        with track("photos through the trunk", total=len(missing), unit="photos") as advance:
            for photo, pixels in zip(missing, prefetch(prepare, missing), strict=True):
                # One at a time: batches are no faster on a CPU, and maps do not depend on other photos of a batch.
                save_array(self.path(*photo), encode(pixels[None])[0])
                advance(1)
