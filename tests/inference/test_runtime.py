"""ONNX Runtime runs what the contract describes and refuses, by name, what it does not."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper
from onnx.external_data_helper import set_external_data
from support.photos import photo_bytes
from support.tiny_bundle import (
    CELLS,
    CHANNELS,
    SIDE,
    WORDS,
    build_decoder_step,
    build_encoder,
    write_manifest,
    write_tiny_bundle,
)

from photocaption.caption import CaptionOptions
from photocaption.captioner import Captioner
from photocaption.errors import BundleError
from photocaption.model.bundle import load_bundle
from photocaption.model.onnx_runtime import OnnxDecoder, OnnxEncoder


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_tiny_bundle(tmp_path / "bundle")


def test_the_encoder_gives_a_grid_of_features_for_each_photo(bundle: Path) -> None:
    images = np.zeros((2, SIDE, SIDE, 3), np.uint8)
    images[1, :8, 8:16] = (255, 0, 51)

    features = OnnxEncoder(load_bundle(bundle), threads=1).encode(images)

    assert features.shape == (2, CELLS, CHANNELS)
    assert features.dtype == np.float32
    assert features[1, 1] == pytest.approx([1, 0, 0.2])
    assert features.sum() == pytest.approx(1.2)


def test_under_load_the_encoder_gives_the_same_features(bundle: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3), np.uint8)
    encoder = OnnxEncoder(load_bundle(bundle), threads=4, workers=2)

    np.testing.assert_array_equal(encoder.encode(images, concurrent=True), encoder.encode(images))


def test_a_step_gives_normalised_probabilities_and_the_next_state(bundle: Path) -> None:
    decoder = OnnxDecoder(load_bundle(bundle))
    start = decoder.start(np.zeros((2, CELLS, CHANNELS), np.float32))
    state = {name: np.repeat(tensor[:, None], 3, axis=1) for name, tensor in start.state.items()}

    step = decoder.step(np.ones((2, 3), np.int32), start.context, state)

    assert step.log_probabilities.shape == (2, 3, len(WORDS))
    assert np.exp(step.log_probabilities).sum(axis=2) == pytest.approx(np.ones((2, 3)))
    assert step.attention is not None
    assert step.attention.sum(axis=2) == pytest.approx(np.ones((2, 3)))
    assert {name: tensor.shape for name, tensor in step.state.items()} == {"state_count": (2, 3, 2)}


def test_a_decoder_without_attention_says_so(tmp_path: Path) -> None:
    bundle = load_bundle(write_tiny_bundle(tmp_path / "plain", attention=False))
    decoder = OnnxDecoder(bundle)
    start = decoder.start(np.zeros((1, CELLS, CHANNELS), np.float32))

    step = decoder.step(np.ones((1, 1), np.int32), start.context, {"state_count": start.state["state_count"][:, None]})

    assert step.attention is None


def pick_likeliest(model: ModelProto) -> ModelProto:
    """Have a step tell of the likeliest successors alone."""
    names = ["likeliest_log_probabilities", "likeliest_tokens"]
    model.graph.node.append(helper.make_node("TopK", ["log_probabilities", "likeliest"], names))
    model.graph.input.append(helper.make_tensor_value_info("likeliest", TensorProto.INT64, [1]))
    for name, kind in zip(names, (TensorProto.FLOAT, TensorProto.INT64), strict=True):
        model.graph.output.append(helper.make_tensor_value_info(name, kind, ["P", "K", "N"]))
    return model


def test_a_step_that_picks_the_likeliest_successors_tells_of_as_many_as_are_asked_for(bundle: Path) -> None:
    before = Captioner.load(bundle).caption(photo_bytes("red"), CaptionOptions(alternatives=2))
    (bundle / "decoder_step.onnx").write_bytes(serialise(pick_likeliest(build_decoder_step())))
    write_manifest(bundle)
    captioner = Captioner.load(bundle)
    start = captioner.decoder.start(np.ones((2, CELLS, CHANNELS), np.float32))
    state = {name: np.repeat(tensor[:, None], 3, axis=1) for name, tensor in start.state.items()}
    steps = [
        captioner.decoder.step(np.full((2, 3), 4, np.int32), start.context, state, count) for count in (4, 99, None)
    ]

    assert [step.log_probabilities.shape[2] for step in steps] == [4, len(WORDS), len(WORDS)]
    assert steps[2].tokens is None
    few, every = steps[0], steps[2].log_probabilities
    assert few.tokens is not None
    np.testing.assert_array_equal(few.log_probabilities, -np.sort(-every, axis=2)[:, :, :4])
    np.testing.assert_array_equal(np.take_along_axis(every, few.tokens, axis=2), few.log_probabilities)
    after = captioner.caption(photo_bytes("red"), CaptionOptions(alternatives=2))
    assert (after.caption, after.words, after.alternatives) == (before.caption, before.words, before.alternatives)


def test_a_step_that_picks_halfway_is_refused(bundle: Path) -> None:
    model = pick_likeliest(build_decoder_step())
    del model.graph.output[-1]
    (bundle / "decoder_step.onnx").write_bytes(serialise(model))
    write_manifest(bundle)

    with pytest.raises(BundleError, match=r"decoder_step\.onnx: has the outputs"):
        Captioner.load(bundle)


def rename(model: ModelProto, old: str, new: str) -> ModelProto:
    for value in [*model.graph.input, *model.graph.output]:
        value.name = new if value.name == old else value.name
    for node in model.graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
        node.output[:] = [new if name == old else name for name in node.output]
    return model


@pytest.mark.parametrize(
    ("file", "build", "line"),
    [
        ("encoder.onnx", lambda: b"not a model", "encoder.onnx: is not a model"),
        ("encoder.onnx", lambda: b"", "encoder.onnx: is not a model"),
        ("encoder.onnx", lambda: serialise(rename(build_encoder(), "images", "input")), "encoder.onnx: has the inputs"),
        ("decoder_start.onnx", lambda: serialise(build_encoder()), "decoder_start.onnx: has the inputs images"),
        (
            "decoder_step.onnx",
            lambda: serialise(build_decoder_step(attention=False)),
            "decoder_step.onnx: has the outp",
        ),
        (
            "decoder_step.onnx",
            lambda: serialise(rename(build_decoder_step(), "next_state_count", "state_next")),
            "decoder_step.onnx: has the outputs",
        ),
    ],
)
def test_a_model_that_does_not_keep_the_contract_is_refused_by_name(
    bundle: Path, file: str, build: Callable[[], bytes], line: str
) -> None:
    (bundle / file).write_bytes(build())
    write_manifest(bundle)

    with pytest.raises(BundleError, match=line) as refusal:
        Captioner.load(bundle)

    assert "\n" not in str(refusal.value)


def serialise(model: ModelProto) -> bytes:
    return bytes(model.SerializeToString())


def test_a_bundle_without_a_saved_model_says_what_the_tensorflow_runtime_lacks(bundle: Path) -> None:
    with pytest.raises(BundleError, match="saved_model: is missing"):
        Captioner.load(bundle, runtime="tensorflow")


def keep_elsewhere(model: ModelProto) -> None:
    """Have the first weight of a model be in another file."""
    weight = model.graph.initializer[0]
    set_external_data(weight, "elsewhere.bin")
    weight.ClearField("raw_data")


def keep_elsewhere_inside(model: ModelProto) -> None:
    """The same of a weight of a graph inside a node of the graph."""
    weight = TensorProto(name="weight", data_type=TensorProto.FLOAT, dims=[1], raw_data=bytes(4))
    set_external_data(weight, "elsewhere.bin")
    inside = helper.make_graph([helper.make_node("Constant", [], ["y"], value=weight)], "inside", [], [])
    model.graph.node[0].attribute.append(helper.make_attribute("body", inside))


@pytest.mark.parametrize("spoil", [keep_elsewhere, keep_elsewhere_inside])
def test_weights_in_other_files_are_refused(bundle: Path, spoil: Callable[[ModelProto], None]) -> None:
    model = build_encoder()
    spoil(model)
    (bundle / "encoder.onnx").write_bytes(model.SerializeToString())
    write_manifest(bundle)

    with pytest.raises(BundleError, match=r"encoder\.onnx: keeps weights in other files"):
        OnnxEncoder(load_bundle(bundle), threads=1)
