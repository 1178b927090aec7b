"""The float32 encoder that a bundle's int8 one was made from, to measure one against the other."""

import hashlib
from pathlib import Path

from photocaption.captioner import Captioner
from photocaption.model import cpu
from photocaption.model.bundle import ENCODER, Bundle
from photocaption.model.manifest import Manifest
from photocaption.model.onnx_runtime import OnnxEncoder
from training.arrays import Arrays, read_arrays
from training.encoder import onnx_graphs
from training.encoder.export import convert_encoder
from training.encoder.trunk import Folder
from training.encoder.weight_deltas import ENCODER_DIFFERENCES, scale, training_folder
from training.encoder.xception import WEIGHTS_DIGEST
from training.errors import TrainingError
from training.progress import say


def read_tuned(bundle: Path, manifest: Manifest) -> Arrays:
    """What fine-tuning changed in the encoder of a bundle; nothing where ImageNet's weights are the last word.

    The manifest says under `training.encoder` which file it is and what share of it is in the encoder. Raises
    TrainingError when that file is not beside the bundle.
    """
    record = manifest.training.get("encoder")
    if not isinstance(record, dict):
        return {}
    path = training_folder(bundle) / ENCODER_DIFFERENCES
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TrainingError(f"{path} is needed to make the encoder anew: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != record["sha256"]:
        raise TrainingError(f"{path} is not the file that the bundle was made with")
    return scale(read_arrays(data), float(str(record["share"])))


def cached_plain_encoder(bundle: Bundle, cache: Path) -> Path:
    """The ONNX file of a bundle's encoder in float32, made now if it is not in the cache. Raises WeightsError."""
    size, tuned = bundle.manifest.image.height, read_tuned(bundle.path, bundle.manifest)
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
