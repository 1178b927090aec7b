"""Exports the bundle's encoder: Xception up to its grid of features, as ONNX, in float32 or quantised to int8.

Quantisation is static (Jacob et al. 2018): weights per channel in 7 bits, so that sums fit into 16 on processors
without VNNI; activations in 8 bits, with ranges measured on training photos. Each range is a moving average of the
photos' own extremes: over all photos, a few outliers would stretch it so far that ordinary values lose their precision.
"""

import tempfile
from collections.abc import Iterator, Sequence
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

from photocaption.image import preprocessing
from photocaption.model.manifest import ImageSpec
from training.arrays import Arrays
from training.config import EncoderConfig
from training.data.photo import Photo, read_image
from training.encoder import onnx_graphs, weight_deltas
from training.encoder.xception import load_xception
from training.progress import say

# How strongly each further photo moves the calibrated ranges.
_AVERAGING = 0.05


def build_encoder(size: int, cache: Path, tuned: Arrays) -> keras.Model:
    """The Keras encoder: uint8 RGB [P, size, size, 3] → float32 [P, cells, channels], scaling included.

    `tuned`: fine-tuned differences from ImageNet's weights.
    """
    images = keras.Input((size, size, 3), dtype="uint8", name="images")
    network = load_xception(size, cache)
    weight_deltas.add(network, tuned)
    grid = network(ops.cast(images, "float32") / 127.5 - 1.0, training=False)
    return keras.Model(images, ops.reshape(grid, (-1, grid.shape[1] * grid.shape[2], grid.shape[3])))


def make_encoder(
    config: EncoderConfig, image: ImageSpec, photos: Sequence[Photo], path: Path, cache: Path, tuned: Arrays
) -> None:
    """Write the encoder to `path`.

    `photos`: for the calibration of int8; `cache`: of the ImageNet weights; `tuned`: fine-tuned differences from them.
    """
    say(f"Exporting the encoder ({config.precision})")
    model = convert_encoder(config.size, cache, tuned)
    if config.precision == "int8":
        model = _quantise(model, photos, image)
    onnx_graphs.save(model, path)


def convert_encoder(size: int, cache: Path, tuned: Arrays) -> onnx.ModelProto:
    """The encoder as ONNX in float32."""
    encoder = build_encoder(size, cache, tuned)
    spec = tf.TensorSpec((None, size, size, 3), tf.uint8, name="images")
    return onnx_graphs.convert(lambda images: (encoder(images, training=False),), [spec], ["features"], "encoder")


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
    def _prepare(photos: Sequence[Photo], spec: ImageSpec) -> Iterator[dict[str, Any]]:
        for photo in photos:
            yield {"images": preprocessing.prepare(read_image(photo.path), spec)[None]}
