"""Makes the bundle's encoder: Xception up to its grid of features, as ONNX, in float32 or quantised to int8.

Quantisation is static (Jacob et al. 2018): weights per channel in 7 bits, so that sums fit into 16 on processors
without VNNI; activations in 8 bits, with ranges measured on training photos. Each range is a moving average of the
photos' own extremes: over all photos, a few outliers would stretch it so far that ordinary values lose their precision.
"""

import hashlib
import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import onnx
import tensorflow as tf
from keras import ops
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from inference import preprocessing
from inference.bundle import ENCODER
from inference.image import decode
from inference.manifest import FeatureSpec, ImageSpec
from training import onnx_graphs
from training.config import EncoderConfig
from training.dataset import Photo
from training.progress import say
from training.xception import WEIGHTS_DIGEST, load_xception

# How strongly each further photo moves the calibrated ranges.
_AVERAGING = 0.05


@dataclass(frozen=True, slots=True)
class ExportedEncoder:
    """A folder with `encoder.onnx`, what goes before it and what comes out of it; `OnnxEncoder` runs it as it runs a
    bundle's.
    """

    path: Path
    image: ImageSpec
    features: FeatureSpec

    def read(self, name: str) -> bytes:
        """The bytes of a file in the folder."""
        return (self.path / name).read_bytes()


def export_encoder(config: EncoderConfig, photos: Sequence[Photo], cache: Path, seed: int) -> ExportedEncoder:
    """The encoder that `config` describes, from the cache or made now; `photos` are those that may calibrate it."""
    image = ImageSpec(height=config.size, width=config.size, canonical_size=config.canonical_size, resample="bicubic")
    chosen = _choose(photos, config.calibration_photos, seed) if config.precision == "int8" else []
    folder = cache / f"encoder-{_key(config, chosen)}"
    if not (folder / ENCODER).exists():
        folder.mkdir(parents=True, exist_ok=True)
        _make(config, image, chosen, folder / ENCODER, cache)
    return ExportedEncoder(folder, image, _read_feature_spec(folder / ENCODER))


def build_encoder(size: int, cache: Path) -> keras.Model:
    """The Keras encoder: uint8 RGB [P, size, size, 3] → float32 [P, cells, channels], scaling included."""
    images = keras.Input((size, size, 3), dtype="uint8", name="images")
    grid = load_xception(size, cache)(ops.cast(images, "float32") / 127.5 - 1.0, training=False)
    return keras.Model(images, ops.reshape(grid, (-1, grid.shape[1] * grid.shape[2], grid.shape[3])))


def _make(config: EncoderConfig, image: ImageSpec, photos: Sequence[Photo], path: Path, cache: Path) -> None:
    say(f"Exporting the encoder ({config.precision})")
    encoder = build_encoder(config.size, cache)
    spec = tf.TensorSpec((None, config.size, config.size, 3), tf.uint8, name="images")
    model = onnx_graphs.convert(lambda images: (encoder(images, training=False),), [spec], ["features"], "encoder")
    if config.precision == "int8":
        model = _quantise(model, photos, image)
    onnx_graphs.save(model, path)


def _quantise(model: onnx.ModelProto, photos: Sequence[Photo], image: ImageSpec) -> onnx.ModelProto:
    say(f"Calibrating int8 on {len(photos)} training photos")
    with tempfile.TemporaryDirectory() as folder:
        plain, prepared, quantised = (Path(folder) / name for name in ("plain.onnx", "prepared.onnx", "int8.onnx"))
        onnx.save(model, plain)
        quant_pre_process(plain, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            quantised,
            _CalibrationReader(photos, image),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"CalibMovingAverage": True, "CalibMovingAverageConstant": _AVERAGING},
        )
        return onnx.load(quantised)


class _CalibrationReader(CalibrationDataReader):  # type: ignore[misc]  # ONNX Runtime's tools are untyped
    """Feeds photos to the calibration, one at a time."""

    def __init__(self, photos: Sequence[Photo], image: ImageSpec) -> None:
        self._inputs = self._prepare(photos, image)

    def get_next(self) -> dict[str, npt.NDArray[np.uint8]] | None:
        """The next photo as the encoder's input, None after the last."""
        return next(self._inputs, None)

    @staticmethod
    def _prepare(photos: Sequence[Photo], image: ImageSpec) -> Iterator[dict[str, Any]]:
        for photo in photos:
            picture, _ = decode(photo.path.read_bytes())
            yield {"images": preprocessing.prepare(picture, image)[None]}


def _choose(photos: Sequence[Photo], count: int, seed: int) -> list[Photo]:
    order = np.random.default_rng(seed).permutation(len(photos))
    return [photos[place] for place in order[:count]]


def _key(config: EncoderConfig, photos: Sequence[Photo]) -> str:
    parts = [WEIGHTS_DIGEST, config.model_dump_json(), *(photo.sha256 for photo in photos)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _read_feature_spec(path: Path) -> FeatureSpec:
    """The grid that an encoder's output says it has; the photo was square, and so is the grid."""
    _, cells, channels = (size.dim_value for size in onnx.load(path).graph.output[0].type.tensor_type.shape.dim)
    side = math.isqrt(cells)
    return FeatureSpec(rows=side, columns=side, channels=channels)
