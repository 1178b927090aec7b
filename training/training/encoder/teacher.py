"""Logits of an ImageNet classifier for photos, from which the tagger's class layer is distilled."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from photocaption.model import cpu
from photocaption.model.onnx_runtime import open_session
from photocaption.model.runtime import Floats
from training.arrays import save_array
from training.data.photo import Photo, read_image
from training.data.prefetch import prefetch
from training.encoder.trunk import Folder
from training.progress import track

_CENTRE, _SPREAD = 127.0, 128.0  # what EfficientNet-Lite expects of bytes


def predict_logits(teacher: Path, photos: Sequence[Photo], cache: Path) -> Floats:
    """The logits [P, classes] of a classifier in ONNX, which takes photos as float32 [1, 3, height, width] from -1 to
    1, squashed to its size. Kept in `cache`.
    """
    digest = hashlib.sha256(teacher.read_bytes())
    digest.update("\n".join(photo.sha256 for photo in photos).encode())
    path = cache / f"teacher-{digest.hexdigest()[:16]}.npy"
    if not path.exists():
        session = open_session(Folder(teacher.parent), teacher.name, threads=cpu.count_cores())
        (given,) = session.get_inputs()
        height, width = given.shape[2:]

        def prepare(photo: Photo) -> Floats:
            image = read_image(photo.path).resize((width, height), Image.Resampling.BICUBIC)
            pixels: Floats = (np.asarray(image, np.float32) - _CENTRE) / _SPREAD
            return pixels.transpose(2, 0, 1)[None]

        rows = []
        with track("photos through the teacher", total=len(photos), unit="photos") as advance:
            for pixels in prefetch(prepare, photos):
                rows.append(session.run(None, {given.name: pixels})[0][0])
                advance(1)
        save_array(path, np.array(rows, np.float32))
    logits: Floats = np.load(path, allow_pickle=False)
    return logits
