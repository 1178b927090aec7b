"""TensorFlow, where it is installed, gives the answers that ONNX Runtime gives."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from support.photos import photo_bytes
from support.tiny_bundle import CELLS, CHANNELS, COLOURS, SIDE, write_manifest

from photocaption.caption import CaptionOptions
from photocaption.captioner import Captioner
from photocaption.errors import BundleError
from photocaption.model import tensorflow_runtime
from photocaption.model.bundle import Bundle, load_bundle
from photocaption.model.onnx_runtime import OnnxDecoder
from photocaption.model.tensorflow_runtime import Signature

pytest.importorskip("tensorflow")

from support.tiny_saved_model import add_saved_model

TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle with a SavedModel in it."""
    copy = shutil.copytree(tiny_bundle, tmp_path_factory.mktemp("tensorflow") / "tiny")
    add_saved_model(copy)
    return copy


@pytest.fixture(scope="module")
def on_tensorflow(bundle: Path) -> Captioner:
    return Captioner.load(bundle, runtime="tensorflow")


def test_both_encoders_give_the_same_features(captioner: Captioner, on_tensorflow: Captioner) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 3), dtype=np.uint8)

    assert on_tensorflow.encoder.encode(images) == pytest.approx(captioner.encoder.encode(images), abs=TOLERANCE)


def test_both_decoders_give_the_same_step(bundle: Path, on_tensorflow: Captioner) -> None:
    features = np.random.default_rng(0).random((2, CELLS, CHANNELS), np.float32)
    tokens = np.array([[4, 5, 6], [1, 10, 4]], np.int32)
    steps = []
    for decoder in (OnnxDecoder(load_bundle(bundle)), on_tensorflow.decoder):
        start = decoder.start(features)
        state = {name: np.repeat(tensor[:, None], 3, axis=1) for name, tensor in start.state.items()}
        steps.append(decoder.step(tokens, start.context, state))

    expected, actual = steps
    assert actual.log_probabilities == pytest.approx(expected.log_probabilities, abs=TOLERANCE)
    assert actual.attention == pytest.approx(expected.attention, abs=TOLERANCE)
    assert actual.state["state_count"] == pytest.approx(expected.state["state_count"], abs=TOLERANCE)


@pytest.mark.parametrize("colour", COLOURS)
def test_both_write_the_same_caption(captioner: Captioner, on_tensorflow: Captioner, colour: str) -> None:
    options = CaptionOptions(alternatives=2, attention=True)

    expected, actual = (one.caption(photo_bytes(colour), options) for one in (captioner, on_tensorflow))

    assert actual.caption == expected.caption == f"a {colour} square"
    assert actual.log_probability == pytest.approx(expected.log_probability, abs=TOLERANCE)
    assert [other.caption for other in actual.alternatives] == [other.caption for other in expected.alternatives]


def test_a_saved_model_that_is_none_is_refused(tiny_bundle: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(tiny_bundle, tmp_path / "broken")
    (broken / "saved_model").mkdir()
    (broken / "saved_model" / "saved_model.pb").write_bytes(b"no model")
    write_manifest(broken)

    with pytest.raises(BundleError, match="saved_model: is not a model that TensorFlow can load"):
        Captioner.load(broken, runtime="tensorflow")


def test_a_saved_model_that_is_replaced_while_it_is_read_is_read_again(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served, newer = (shutil.copytree(bundle, tmp_path / name) for name in ("served", "newer"))
    with (newer / "saved_model" / "saved_model.pb").open("ab") as file:
        file.write(b"\xa0\x06\x01")  # a field that SavedModel does not have
    write_manifest(newer)
    load_signatures = tensorflow_runtime._load_signatures

    def replace_then_load(tensorflow: object, bundle: Bundle) -> Mapping[str, Signature]:
        if newer.exists():
            served.rename(tmp_path / "older")
            newer.rename(served)
        return load_signatures(tensorflow, bundle)

    monkeypatch.setattr(tensorflow_runtime, "_load_signatures", replace_then_load)

    assert Captioner.load(served, runtime="tensorflow").bundle.manifest == load_bundle(served).manifest
