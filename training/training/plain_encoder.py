"""The float32 encoder that a bundle's int8 one was made from, to measure one against the other: what ImageNet left."""

from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from inference import cpu
from inference.bundle import ENCODER
from inference.captioner import Captioner
from inference.image import ImageLimits
from inference.onnx_runtime import OnnxEncoder
from training import onnx_graphs
from training.encoder_export import build_encoder
from training.progress import say
from training.xception import WEIGHTS_DIGEST


@dataclass(frozen=True, slots=True)
class _Folder:
    path: Path

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()


def cached_plain_encoder(size: int, cache: Path) -> Path:
    """The ONNX file of Xception in float32 for photos of `size` × `size` pixels, made now if it is not in the cache.

    Raises WeightsError.
    """
    path = cache / f"float32-{size}-{WEIGHTS_DIGEST[:8]}" / ENCODER
    if not path.exists():
        say("Exporting the encoder in float32")
        encoder = build_encoder(size, cache)
        spec = tf.TensorSpec((None, size, size, 3), tf.uint8, name="images")
        model = onnx_graphs.convert(lambda images: (encoder(images, training=False),), [spec], ["features"], "encoder")
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx_graphs.save(model, path)
    return path


def with_plain_encoder(captioner: Captioner, cache: Path) -> Captioner:
    """The captioner with the same decoder behind the encoder in float32. Raises WeightsError."""
    path = cached_plain_encoder(captioner.bundle.manifest.image.height, cache)
    return Captioner(
        captioner.bundle, OnnxEncoder(_Folder(path.parent), threads=cpu.count_cores()), captioner.decoder, ImageLimits()
    )
