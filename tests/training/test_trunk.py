"""The encoder in two parts gives what the whole gives, in either precision."""

from pathlib import Path

import numpy as np
import pytest
from support.weights import weights_cache

from photocaption.model.onnx_runtime import OnnxEncoder
from training.config import EncoderConfig
from training.data.dataset import read_dataset
from training.encoder.cache import ExportedEncoder, export_encoder
from training.encoder.trunk import LastBlock, Trunk, read_steps

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["float32", "int8"])
def encoder(request: pytest.FixtureRequest, small_encoder: ExportedEncoder, shapes: Path) -> ExportedEncoder:
    if request.param == "float32":
        return small_encoder
    config = EncoderConfig(size=75, canonical_size=None, precision="int8", calibration_photos=2)
    return export_encoder(config, read_dataset(shapes).split("train"), weights_cache(), seed=1)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 75, 75, 3)).astype(np.uint8)


def test_the_parts_after_each_other_are_the_whole(encoder: ExportedEncoder, images: np.ndarray) -> None:
    maps = Trunk(encoder.path).encode(images)

    features = LastBlock(encoder.path).encode(maps)

    assert maps.shape == (2, encoder.features.cells, 1024)
    np.testing.assert_allclose(features, OnnxEncoder(encoder, threads=1).encode(images), atol=0.02)


def test_maps_are_bytes_where_the_encoder_computes_in_bytes(encoder: ExportedEncoder, images: np.ndarray) -> None:
    maps, steps = Trunk(encoder.path).encode(images), read_steps(encoder.path)

    assert (maps.dtype == np.uint8) == (steps is not None)
    if steps:
        restored = steps.restore(maps)
        assert restored.dtype == np.float32
        assert restored[maps == steps.zero] == pytest.approx(0)
        assert restored.std() > 0.1
