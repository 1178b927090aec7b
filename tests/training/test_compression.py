"""Compression publishes a bundle beside or over another one, scored anew."""

from pathlib import Path

import onnx
import pytest
from support.tiny_bundle import write_tiny_bundle

from inference.bundle import DECODER_STEP, load_bundle
from inference.errors import BundleError
from inference.manifest import MANIFEST_NAME
from training.compression import compress
from training.dataset import read_dataset
from training.publishing import write_manifest


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bundle = write_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny")
    made = {"dataset_digest": "0" * 64, "command": "caption-train train", "seed": 0}
    manifest = load_bundle(bundle).manifest.model_copy(update={"training": made})
    (bundle / MANIFEST_NAME).unlink()
    write_manifest(bundle, manifest)
    return bundle


def test_the_result_is_published_with_scores_of_its_own(original: Path, shapes: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in original.iterdir()}

    evaluation = compress(original, tmp_path / "small", read_dataset(shapes, ["train", "dev"]))

    manifest = load_bundle(tmp_path / "small").manifest
    assert manifest.name == "small"
    assert manifest.version != load_bundle(original).manifest.version
    assert manifest.model_dump()["scores"]["dev"]["beam"] == pytest.approx(evaluation.scores["beam"])
    assert {path.name: path.read_bytes() for path in original.iterdir()} == before
    onnx.checker.check_model(onnx.load(tmp_path / "small" / DECODER_STEP))


def test_a_damaged_bundle_is_not_compressed(original: Path, shapes: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for path in original.iterdir():
        (damaged / path.name).write_bytes(path.read_bytes() + b" ")

    with pytest.raises(BundleError):
        compress(damaged, tmp_path / "small", read_dataset(shapes, ["train", "dev"]))
    assert not (tmp_path / "small").exists()
