"""Which library encodes: by the processor, by a setting, and what happens where OpenVINO is not there."""

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper
from support.tiny_bundle import CELLS, CHANNELS, SIDE, build_encoder, write_manifest

from photocaption.captioner import Captioner
from photocaption.errors import BundleError
from photocaption.model import engine
from photocaption.model.bundle import load_bundle
from photocaption.model.engine import ENGINE_VARIABLE, open_encoder
from photocaption.model.instructions import AMX, AVX2, AVX512_VNNI, find_capped_instructions, find_instructions
from photocaption.model.onnx_runtime import OnnxEncoder
from photocaption.model.runtime import Floats

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "services/frontend/frontend/static/examples").glob("*-small.jpg"))

needs_openvino = pytest.mark.skipif(
    sys.platform != "linux" or os.uname().machine != "x86_64", reason="OpenVINO is installed on x86-64 Linux alone"
)


@pytest.fixture(autouse=True)
def no_choice_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENGINE_VARIABLE, raising=False)


def have_processor(monkeypatch: pytest.MonkeyPatch, instructions: str) -> None:
    monkeypatch.setattr(engine, "find_capped_instructions", lambda: instructions)


def leave_out_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where it is not installed: it is neither found nor imported."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "openvino", None)


@needs_openvino
@pytest.mark.parametrize(
    ("instructions", "expected"), [(AMX, "openvino"), (AVX512_VNNI, "onnxruntime"), ("aarch64", "onnxruntime")]
)
def test_the_processor_decides(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch, instructions: str, expected: str
) -> None:
    have_processor(monkeypatch, instructions)

    assert open_encoder(load_bundle(tiny_bundle), threads=1).engine == expected


@needs_openvino
@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_the_environment_decides_for_programs_without_settings(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    have_processor(monkeypatch, AMX if name == "onnxruntime" else AVX2)
    monkeypatch.setenv(ENGINE_VARIABLE, name)

    assert Captioner.load(tiny_bundle, threads=1).engine == name


def test_a_name_that_is_no_engine_is_refused(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENGINE_VARIABLE, "openvin")

    with pytest.raises(BundleError, match="CAPTION_ENGINE is openvin, but should be one of auto, onnxruntime, openvi"):
        open_encoder(load_bundle(tiny_bundle), threads=1)


def test_without_openvino_every_processor_is_served(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    have_processor(monkeypatch, AMX)
    leave_out_openvino(monkeypatch)

    assert open_encoder(load_bundle(tiny_bundle), threads=1).engine == "onnxruntime"


def test_an_openvino_that_cannot_be_loaded_is_told_of_and_done_without(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    have_processor(monkeypatch, AMX)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "openvino", None)

    with caplog.at_level(logging.WARNING):
        assert open_encoder(load_bundle(tiny_bundle), threads=1).engine == "onnxruntime"
    assert "OpenVINO cannot be loaded" in caplog.text


def test_whoever_asks_for_openvino_hears_that_it_is_not_there(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_out_openvino(monkeypatch)

    with pytest.raises(BundleError, match="the engine openvino cannot be loaded"):
        open_encoder(load_bundle(tiny_bundle), "openvino", threads=1)


@needs_openvino
def test_an_encoder_that_openvino_does_not_take_goes_to_onnx_runtime(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bundle = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    model = build_encoder()
    model.graph.node[-1].output[0] = "grid"
    model.graph.node.append(helper.make_node("Binarizer", ["grid"], ["features"], domain="ai.onnx.ml", threshold=0.5))
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 1))
    (bundle / "encoder.onnx").write_bytes(model.SerializeToString())
    write_manifest(bundle)
    have_processor(monkeypatch, AMX)

    with caplog.at_level(logging.WARNING):
        assert open_encoder(load_bundle(bundle), threads=1).engine == "onnxruntime"
    assert "OpenVINO does not take the encoder" in caplog.text
    with pytest.raises(BundleError, match=r"encoder\.onnx: is not a model that OpenVINO can run"):
        open_encoder(load_bundle(bundle), "openvino", threads=1)


@needs_openvino
def test_both_engines_give_the_same_features_alone_and_under_load(tiny_bundle: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 3), np.uint8)
    files = load_bundle(tiny_bundle)
    encoder = open_encoder(files, "openvino", threads=2, workers=2)

    expected = OnnxEncoder(files, threads=1).encode(images)

    assert expected.shape == (3, CELLS, CHANNELS)
    for concurrent in (False, True):
        features = encoder.encode(images, concurrent=concurrent)
        assert features.dtype == np.float32
        np.testing.assert_allclose(features, expected, atol=1e-5)


@needs_openvino
def test_both_engines_see_the_same_in_the_example_photos() -> None:
    """With the weights that are served, whose int8 the two round differently: most sentences are the same, not all."""
    bundle = ROOT / "artifacts" / "default"
    ours, theirs = Captioner.load(bundle, engine="onnxruntime"), Captioner.load(bundle, engine="openvino")
    pixels = [ours.prepare(photo.read_bytes()).pixels[None] for photo in EXAMPLES]

    features = [(ours.encoder.encode(one), theirs.encoder.encode(one)) for one in pixels]

    cosines = [float(np.vdot(a, b) / np.linalg.norm(a) / np.linalg.norm(b)) for a, b in features]
    assert min(cosines) > 0.97
    same = [describe(ours, a) == describe(ours, b) for a, b in features]
    assert sum(same) >= len(EXAMPLES) // 2


def describe(captioner: Captioner, features: Floats) -> str:
    return captioner.describe_features(features)[0].caption


@needs_openvino
def test_openvino_is_given_no_weights_of_other_files(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    model = build_encoder()
    weight = model.graph.initializer[0]
    weight.data_location = TensorProto.EXTERNAL
    (bundle / "encoder.onnx").write_bytes(model.SerializeToString())
    write_manifest(bundle)

    with pytest.raises(BundleError, match=r"encoder\.onnx: keeps weights in other files"):
        open_encoder(load_bundle(bundle), "openvino", threads=1)


@pytest.mark.parametrize(
    ("flags", "cap", "expected", "capped"),
    [
        ("fpu avx2 avx512_vnni amx_int8", "", "amx_int8", "amx_int8"),
        ("fpu avx2 avx512_vnni amx_int8", "AVX512_CORE_VNNI", "amx_int8", "avx512_vnni"),
        ("fpu avx2 avx_vnni", "avx2", "avx_vnni", "avx2"),
        ("fpu avx2 avx512_vnni", "ALL", "avx512_vnni", "avx512_vnni"),
    ],
)
def test_the_best_instructions_are_named_and_a_cap_is_heeded(
    tmp_path: Path, flags: str, cap: str, expected: str, capped: str
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\nflags\t\t: {flags}\nbugs\t\t: none\n", encoding="ascii")

    assert find_instructions(cpuinfo=cpuinfo) == expected
    assert find_capped_instructions(cpuinfo=cpuinfo, environment={"ONEDNN_MAX_CPU_ISA": cap}) == capped


def test_of_a_processor_that_says_nothing_the_kind_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")

    assert find_instructions(cpuinfo=tmp_path / "none") == "aarch64"


@needs_openvino
def test_openvino_reports_its_use_to_nobody(tmp_path: Path) -> None:
    program = """
import sys
sys.addaudithook(lambda event, _: event.startswith(("socket.", "urllib.")) and sys.exit(event))
from photocaption.model.openvino_runtime import _import_openvino
_import_openvino().Core()
import threading
sys.exit(threading.active_count() - 1 or [name for name in sys.modules if "telemetry" in name] or 0)
"""
    environment = {**os.environ, "HOME": str(tmp_path)}

    subprocess.run([sys.executable, "-c", program], env=environment, check=True)

    assert list(tmp_path.rglob("*")) == []
