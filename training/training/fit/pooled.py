"""Pooled features for the tagger, cached beside the maps from which they are computed."""

import hashlib
from collections.abc import Sequence

import numpy as np
from keras import ops

from photocaption.model.runtime import Floats
from training.arrays import save_array
from training.data.views import PhotoView
from training.encoder.cache import ExportedEncoder
from training.encoder.feature_maps import MapCache
from training.encoder.trunk import LastBlock
from training.models.evidence import pool
from training.progress import track

_BATCH = 32


def pool_photos(photos: Sequence[PhotoView], maps: MapCache, encoder: ExportedEncoder) -> Floats:
    """Pooled features [P, channels] of views of photos whose maps are there."""
    names = "\n".join([encoder.path.name, *(f"{photo.sha256} {view.key}" for photo, view in photos)])
    path = maps.folder / f"pooled-{hashlib.sha256(names.encode()).hexdigest()[:16]}.npy"
    if not path.exists():
        block = LastBlock(encoder.path)
        rows = []
        with track("features of photos", total=len(photos), unit="photos") as advance:
            for begin in range(0, len(photos), _BATCH):
                batch = photos[begin : begin + _BATCH]
                rows.append(ops.convert_to_numpy(pool(block.encode(maps.load(batch)))))
                advance(len(batch))
        save_array(path, np.concatenate(rows))
    pooled: Floats = np.load(path, allow_pickle=False)
    return pooled
