"""The encoder in two parts gives what the whole gives, in either precision."""

from pathlib import Path

import numpy as np
import pytest
from support.weights import weights_cache

from photocaption.model.onnx_runtime import OnnxEncoder
from training.config import EncoderConfig
from training.data.captioned import read_captioned
from training.encoder.cache import ExportedEncoder, export_encoder
from training.encoder.trunk import LastBlock, Trunk

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["float32", "int8"])
def encoder(request: pytest.FixtureRequest, small_encoder: ExportedEncoder, shapes: Path) -> ExportedEncoder:
    if request.param == "float32":
        return small_encoder
    config = EncoderConfig(size=75, canonical_size=None, precision="int8", calibration_photos=2)
    return export_encoder(config, read_captioned(shapes)["train"], weights_cache(), seed=1)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 75, 75, 3)).astype(np.uint8)


def test_the_parts_after_each_other_are_the_whole(encoder: ExportedEncoder, images: np.ndarray) -> None:
    maps = Trunk(encoder.path).encode(images)

    features = LastBlock(encoder.path).encode(maps)

    assert maps.shape == (2, encoder.features.cells, 1024)
    np.testing.assert_allclose(features, OnnxEncoder(encoder, threads=1).encode(images), atol=0.02)


def test_maps_are_bytes_where_the_encoder_computes_in_bytes(
    encoder: ExportedEncoder, small_encoder: ExportedEncoder, images: np.ndarray
) -> None:
    maps = Trunk(encoder.path).encode(images)

    assert maps.dtype == (np.float16 if encoder is small_encoder else np.uint8)
    assert len(np.unique(maps)) > 10
