"""The exported decoder computes what the trained one does, for any number of photos and beams."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from photocaption.model.bundle import DECODER_START, DECODER_STEP
from photocaption.model.manifest import FeatureSpec
from training.config import DecoderConfig
from training.models.decoder import Decoder, build_decoder
from training.models.search_decoder import SearchDecoder
from training.publish.decoder_export import export_decoder, round_weights

WORDS = 24
FEATURES = FeatureSpec(rows=2, columns=2, channels=6)


@pytest.fixture(scope="module", params=[("attention", ()), ("attention", (5, 7)), ("pooled", (5, 7))], ids=str)
def decoder(request: pytest.FixtureRequest) -> Decoder:
    architecture, tags = request.param
    config = DecoderConfig(architecture=architecture, units=64, heads=2)
    decoder = build_decoder(WORDS, FEATURES.cells, FEATURES.channels, config, seed=3, tags=tags)
    if evidence := decoder.evidence:
        for kernel, spread in ((evidence.gist.kernel, 0.1), (evidence.tagger.kernel, 3)):
            kernel.assign(np.random.default_rng(4).normal(0, spread, kernel.shape))
    round_weights(decoder)
    return decoder


@pytest.fixture(scope="module")
def exported(decoder: Decoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    export_decoder(decoder, FEATURES, "float32", folder)
    return folder


def _run(path: Path, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


def _step(folder: Path, feeds: dict[str, np.ndarray], likeliest: int = 5) -> dict[str, np.ndarray]:
    """What a step says of all successors, which is held against what it says of the likeliest."""
    outputs = _run(folder / DECODER_STEP, feeds | {"likeliest": np.array([likeliest])})
    log_probabilities = outputs.pop("likeliest_log_probabilities")
    of_all = outputs["log_probabilities"]
    np.testing.assert_array_equal(log_probabilities, -np.sort(-of_all, axis=-1)[..., :likeliest])
    tokens = outputs.pop("likeliest_tokens")
    np.testing.assert_array_equal(np.take_along_axis(of_all, tokens, axis=-1), log_probabilities)
    return outputs


@pytest.mark.parametrize(("photos", "beams"), [(1, 1), (1, 5), (3, 2)])
def test_onnx_and_keras_agree(decoder: Decoder, exported: Path, photos: int, beams: int) -> None:
    random = np.random.default_rng(photos)
    features = random.random((photos, FEATURES.cells, FEATURES.channels)).astype(np.float32)
    tokens = random.integers(4, WORDS, (photos, beams)).astype(np.int32)
    keras_start = SearchDecoder(decoder).start(features)
    start = _run(exported / DECODER_START, {"features": features})
    context = {name: value for name, value in start.items() if name.startswith("context_")}
    state = {
        name: np.repeat(value[:, None], beams, axis=1) for name, value in start.items() if name.startswith("state_")
    }

    step = _step(exported, {"tokens": tokens, **context, **state})
    expected = SearchDecoder(decoder).step(tokens, keras_start.context, state)

    assert context.keys() == keras_start.context.keys()
    np.testing.assert_allclose(step["log_probabilities"], expected.log_probabilities, atol=1e-5)
    for name, value in expected.state.items():
        np.testing.assert_allclose(step[f"next_{name}"], value, atol=1e-5)
    if expected.attention is not None:
        np.testing.assert_allclose(step["attention"], expected.attention, atol=1e-5)


def test_the_larger_weights_are_stored_in_half_precision(exported: Path) -> None:
    tensors = onnx.load(exported / DECODER_STEP).graph.initializer
    large = [
        tensor for tensor in tensors if np.prod(tensor.dims) >= 1024 and tensor.data_type != onnx.TensorProto.INT64
    ]

    assert large
    assert all(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in large)


def test_eight_bits_move_log_probabilities_by_hundredths(decoder: Decoder, exported: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    start = _run(exported / DECODER_START, {"features": random.random((2, FEATURES.cells, 6)).astype(np.float32)})
    states = {name: np.repeat(value[:, None], 3, axis=1) for name, value in start.items() if name.startswith("state_")}
    feeds = start | states | {"tokens": random.integers(4, WORDS, (2, 3)).astype(np.int32)}

    export_decoder(decoder, FEATURES, "int8", tmp_path)
    plain, compressed = (_step(folder, feeds) for folder in (exported, tmp_path))

    operators = [node.op_type for node in onnx.load(tmp_path / DECODER_STEP).graph.node]
    assert operators.count("MatMulIntegerToFloat") == (4 if decoder.attention else 3)
    assert operators.count("GatherBlockQuantized") == 1
    assert (tmp_path / DECODER_STEP).stat().st_size < 0.7 * (exported / DECODER_STEP).stat().st_size
    assert plain.keys() == compressed.keys()
    for name, values in plain.items():
        difference = np.abs(values - compressed[name]).max()
        assert 0 < difference < 0.02, name


def test_eight_bits_move_the_start_by_hundredths(decoder: Decoder, exported: Path, tmp_path: Path) -> None:
    feeds = {"features": np.random.default_rng(6).random((2, FEATURES.cells, 6)).astype(np.float32)}

    export_decoder(decoder, FEATURES, "int8", tmp_path)
    plain, compressed = (_run(folder / DECODER_START, feeds) for folder in (exported, tmp_path))

    assert (tmp_path / DECODER_START).stat().st_size < 0.7 * (exported / DECODER_START).stat().st_size
    assert plain.keys() == compressed.keys()
    moved = {name: float(np.abs(values - compressed[name]).max()) for name, values in plain.items()}
    assert any(moved.values())
    assert all(difference < 0.05 for difference in moved.values()), moved


def test_in_eight_bits_a_photo_is_described_the_same_whatever_is_with_it(decoder: Decoder, tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    brightness = np.array([1, 30, 0.01])[:, None, None]
    features = (random.random((3, FEATURES.cells, 6)) * brightness).astype(np.float32)
    tokens = random.integers(4, WORDS, (3, 2)).astype(np.int32)
    export_decoder(decoder, FEATURES, "int8", tmp_path)

    def describe(photos: slice) -> dict[str, np.ndarray]:
        start = _run(tmp_path / DECODER_START, {"features": features[photos]})
        states = {name: np.repeat(value[:, None], 2, axis=1) for name, value in start.items() if name[:5] == "state"}
        return start | _step(tmp_path, start | states | {"tokens": tokens[photos]})

    together = describe(slice(None))
    for photo in range(3):
        for name, values in describe(slice(photo, photo + 1)).items():
            np.testing.assert_allclose(values[0], together[name][photo], rtol=1e-5, atol=1e-6, err_msg=name)


def test_a_step_in_eight_bits_computes_no_shapes(decoder: Decoder, tmp_path: Path) -> None:
    export_decoder(decoder, FEATURES, "int8", tmp_path)

    operators = {node.op_type for node in onnx.load(tmp_path / DECODER_STEP).graph.node}
    assert operators.isdisjoint({"Shape", "Slice"})


LARGE = FeatureSpec(rows=2, columns=2, channels=32)  # so that all matrices are large enough to be in bytes


@pytest.mark.parametrize(("tags", "classes"), [(0, 0), (40, 0), (40, 48)])
def test_a_start_in_eight_bits_is_written_anew_and_says_the_same(tags: int, classes: int, tmp_path: Path) -> None:
    config = DecoderConfig(units=64, heads=2)
    decoder = build_decoder(60, LARGE.cells, LARGE.channels, config, seed=3, tags=range(4, 4 + tags), classes=classes)
    random = np.random.default_rng(8)
    for weight in decoder.weights:
        if "seed" not in weight.path:
            drawn = random.normal(0, 0.02, weight.shape)
            weight.assign(drawn > 0 if weight.path.endswith(("names", "subjects")) else weight + drawn)
    features = (random.random((3, LARGE.cells, 32)) * np.array([1, 30, 0.01])[:, None, None]).astype(np.float32)
    export_decoder(decoder, LARGE, "float32", tmp_path)
    plain = _run(tmp_path / DECODER_START, {"features": features})

    export_decoder(decoder, LARGE, "int8", tmp_path)
    compressed = _run(tmp_path / DECODER_START, {"features": features})

    operators = [node.op_type for node in onnx.load(tmp_path / DECODER_START).graph.node]
    assert "LayerNormalization" in operators
    assert "Shape" not in operators
    assert plain.keys() == compressed.keys()
    for name, values in plain.items():
        assert np.abs(values - compressed[name]).max() < 0.08 * max(1, np.abs(values).max()), name
        for photo in range(3):
            alone = _run(tmp_path / DECODER_START, {"features": features[photo : photo + 1]})[name][0]
            np.testing.assert_allclose(alone, compressed[name][photo], rtol=1e-5, atol=1e-6, err_msg=name)
