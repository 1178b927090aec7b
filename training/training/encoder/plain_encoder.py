"""The float32 encoder that a bundle's int8 one was made from, to measure one against the other."""

import hashlib
from pathlib import Path

from photocaption.captioner import Captioner
from photocaption.model import cpu
from photocaption.model.bundle import ENCODER, Bundle
from photocaption.model.onnx_runtime import OnnxEncoder
from training.encoder import onnx_graphs
from training.encoder.export import convert_encoder
from training.encoder.trunk import Folder
from training.encoder.weight_deltas import read_tuned
from training.encoder.xception import WEIGHTS_DIGEST
from training.progress import say


def cached_plain_encoder(bundle: Bundle, cache: Path) -> Path:
    """The ONNX file of a bundle's encoder in float32, made now if it is not in the cache. Raises WeightsError."""
    size, tuned = bundle.manifest.image.height, read_tuned(bundle)
    digest = hashlib.sha256(WEIGHTS_DIGEST.encode())
    for name, array in sorted(tuned.items()):
        digest.update(name.encode() + array.tobytes())
    path = cache / f"float32-{size}-{digest.hexdigest()[:8]}" / ENCODER
    if not path.exists():
        say("Exporting the encoder in float32")
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx_graphs.save(convert_encoder(size, cache, tuned), path)
    return path


def with_plain_encoder(captioner: Captioner, cache: Path) -> Captioner:
    """The captioner with the same decoder behind the encoder in float32. Raises WeightsError."""
    path = cached_plain_encoder(captioner.bundle, cache)
    encoder = OnnxEncoder(Folder(path.parent), threads=cpu.count_cores())
    return Captioner(captioner.bundle, encoder, captioner.decoder)
