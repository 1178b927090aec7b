"""The float32 encoder that a bundle's int8 one was made from, to measure one against the other."""

from pathlib import Path

from photocaption.captioner import Captioner
from photocaption.model import cpu
from photocaption.model.bundle import Bundle
from photocaption.model.onnx_runtime import OnnxEncoder
from training.config import EncoderConfig
from training.encoder.cache import ExportedEncoder, export_encoder
from training.encoder.weight_deltas import read_tuned


def export_float32_encoder(bundle: Bundle, cache: Path) -> ExportedEncoder:
    """A bundle's encoder in float32, from the cache or made now. Raises TrainingError."""
    image = bundle.manifest.image
    config = EncoderConfig(size=image.height, canonical_size=image.canonical_size, precision="float32")
    return export_encoder(config, [], cache, seed=0, tuned=read_tuned(bundle))


def with_float32_encoder(captioner: Captioner, cache: Path) -> Captioner:
    """The captioner with the same decoder behind the encoder in float32. Raises TrainingError."""
    encoder = OnnxEncoder(export_float32_encoder(captioner.bundle, cache), threads=cpu.count_cores())
    return Captioner(captioner.bundle, encoder, captioner.decoder)
