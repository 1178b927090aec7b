"""The encoder that a run uses: found in the cache, or exported into it."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import onnx

from photocaption.model.bundle import ENCODER, Bundle
from photocaption.model.manifest import FeatureSpec, ImageSpec
from training.arrays import Arrays
from training.config import EncoderConfig
from training.data.fingerprint import fingerprint
from training.data.photo import Photo
from training.encoder import onnx_graphs
from training.encoder.trunk import Folder
from training.encoder.xception import WEIGHTS_DIGEST
from training.errors import TrainingError


@dataclass(frozen=True, slots=True)
class ExportedEncoder(Folder):
    """A folder with `encoder.onnx` and, later, its parts (`training.encoder.trunk`), with its input and output.

    `tuned`: fine-tuned differences (`training.encoder.weight_deltas`); empty for ImageNet's weights.
    """

    image: ImageSpec
    features: FeatureSpec
    tuned: Arrays


def export_encoder(
    config: EncoderConfig, photos: Sequence[Photo], cache: Path, seed: int, tuned: Arrays | None = None
) -> ExportedEncoder:
    """The encoder that `config` describes, from the cache or exported now.

    `photos`: candidates for the calibration; `tuned`: fine-tuned differences from ImageNet's weights.
    """
    tuned = tuned or {}
    image = ImageSpec(height=config.size, width=config.size, canonical_size=config.canonical_size, resample="bicubic")
    chosen = _choose(photos, config.calibration_photos, seed) if config.precision == "int8" else []
    folder = cache / f"encoder-{_key(config, image, chosen, tuned)}"
    if not (folder / ENCODER).exists():
        require_tensorflow("Exporting the encoder")
        from training.encoder.export import make_encoder  # TensorFlow is needed for this alone

        folder.mkdir(parents=True, exist_ok=True)
        make_encoder(config, image, chosen, folder / ENCODER, cache, tuned)
    return ExportedEncoder(folder, image, _read_feature_spec(folder / ENCODER), tuned)


def adopt_encoder(bundle: Bundle, cache: Path) -> ExportedEncoder:
    """The encoder of a bundle as it serves, in the cache. Raises BundleError."""
    graph, image = bundle.read(ENCODER), bundle.manifest.image
    folder = cache / f"encoder-{hashlib.sha256(graph + fingerprint(image)).hexdigest()[:16]}"
    if not (folder / ENCODER).exists():
        folder.mkdir(parents=True, exist_ok=True)
        onnx_graphs.save(onnx.load_from_string(graph), folder / ENCODER)
    return ExportedEncoder(folder, image, _read_feature_spec(folder / ENCODER), {})


def require_tensorflow(what: str) -> None:
    """Raise TrainingError with another Keras backend: ONNX files are converted from TensorFlow functions."""
    if keras.backend.backend() != "tensorflow":
        raise TrainingError(
            f"{what} needs KERAS_BACKEND=tensorflow; what is done is kept, and the same command goes on"
        )


def _choose(photos: Sequence[Photo], count: int, seed: int) -> list[Photo]:
    order = np.random.default_rng(seed).permutation(len(photos))
    return [photos[place] for place in order[:count]]


def _key(config: EncoderConfig, image: ImageSpec, photos: Sequence[Photo], tuned: Arrays) -> str:
    parts = [WEIGHTS_DIGEST, config.model_dump_json(), *(photo.sha256 for photo in photos)]
    digest = hashlib.sha256("\n".join(parts).encode() + fingerprint(image))
    for name in sorted(tuned):
        digest.update(tuned[name].tobytes())
    return digest.hexdigest()[:16]


def _read_feature_spec(path: Path) -> FeatureSpec:
    """The grid of an encoder's output; it is square, as the input is."""
    _, cells, channels = (size.dim_value for size in onnx.load(path).graph.output[0].type.tensor_type.shape.dim)
    side = math.isqrt(cells)
    return FeatureSpec(rows=side, columns=side, channels=channels)
