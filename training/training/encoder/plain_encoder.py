"""The float32 encoder that a bundle's int8 one was made from, to measure one against the other."""

import hashlib
from pathlib import Path

from inference.captioner import Captioner
from inference.image.decode import ImageLimits
from inference.model import cpu
from inference.model.bundle import ENCODER, Bundle
from inference.model.onnx_runtime import OnnxEncoder
from training.encoder.export import convert_encoder
from training.encoder.trunk import Folder
from training.encoder.weight_deltas import ENCODER_DIFFERENCES
from training.encoder.xception import WEIGHTS_DIGEST
from training.fit.checkpoint import Arrays, read_arrays
from training.progress import say
from training.publish import onnx_graphs


def _read_tuned(bundle: Bundle) -> Arrays:
    """What fine-tuning changed; nothing where ImageNet's weights are the last word."""
    name = ENCODER_DIFFERENCES
    return read_arrays(bundle.read(name)) if name in bundle.manifest.files else {}


def cached_plain_encoder(bundle: Bundle, cache: Path) -> Path:
    """The ONNX file of a bundle's encoder in float32, made now if it is not in the cache. Raises WeightsError."""
    size, digest = bundle.manifest.image.height, hashlib.sha256(WEIGHTS_DIGEST.encode())
    for name, array in sorted(_read_tuned(bundle).items()):
        digest.update(name.encode() + array.tobytes())
    path = cache / f"float32-{size}-{digest.hexdigest()[:8]}" / ENCODER
    if not path.exists():
        say("Exporting the encoder in float32")
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx_graphs.save(convert_encoder(size, cache, _read_tuned(bundle)), path)
    return path


def with_plain_encoder(captioner: Captioner, cache: Path) -> Captioner:
    """The captioner with the same decoder behind the encoder in float32. Raises WeightsError."""
    path = cached_plain_encoder(captioner.bundle, cache)
    encoder = OnnxEncoder(Folder(path.parent), threads=cpu.count_cores())
    return Captioner(captioner.bundle, encoder, captioner.decoder, ImageLimits())
