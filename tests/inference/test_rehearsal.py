"""A bundle is tried in a process of its own before it is loaded beside one that serves."""

import shutil
from pathlib import Path

import pytest
from support.tiny_bundle import build_endless_encoder, write_manifest

from photocaption.errors import BundleError
from photocaption.serving.rehearsal import rehearse
from photocaption.serving.settings import Settings


def test_a_sound_bundle_passes(tiny_bundle: Path) -> None:
    rehearse(Settings(bundle=tiny_bundle, load_seconds=600))


def test_a_model_that_never_comes_to_an_end_is_refused_in_time(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    (bundle / "encoder.onnx").write_bytes(build_endless_encoder().SerializeToString())
    write_manifest(bundle)

    with pytest.raises(BundleError, match="was not loaded and tried within 8 seconds"):
        rehearse(Settings(bundle=bundle, load_seconds=8))
