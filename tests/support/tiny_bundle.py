"""A complete bundle of a few kilobytes whose captions are known beforehand: "a red square" for a red square.

The encoder is real, if small: it averages the pixels of each cell of a 4×4 grid. The decoder is written by hand: after
"a" it names the colour that stands out in the picture, then "square", then it ends. Its recurrent state counts the
words and makes the end likelier; its attention lies on the cells that have the colour just named. Everything is
deterministic.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, TensorProto, checker, helper, numpy_helper

from photocaption.model.bundle import DECODER_START, DECODER_STEP, ENCODER, MODEL_CARD, VOCABULARY, digest_files
from photocaption.model.manifest import (
    SCHEMA_VERSION,
    Calibration,
    DecoderInfo,
    EncoderInfo,
    FeatureSpec,
    ImageSpec,
    Manifest,
    SearchDefaults,
    SpecialTokens,
)

WORDS = ("<padding>", "<start>", "<end>", "<unknown>", "a", "red", "green", "blue", "white", "black", "square", "photo")
TOKENS = SpecialTokens(padding=0, start=1, end=2, unknown=3)
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255), "black": (0, 0, 0)}

# Tensors by name: element type and shape, a string where a size is dynamic.
Ports = dict[str, tuple[int, list[str | int]]]

SIDE = 32
GRID = 4
CELLS = GRID * GRID
CHANNELS = 3

# How much each colour word gains from the mean of the red, green and blue channel (in [0, 1]), and from nothing at all.
_COLOUR_GAINS = {
    "red": (30, -15, -15, 0),
    "green": (-15, 30, -15, 0),
    "blue": (-15, -15, 30, 0),
    "white": (3, 3, 3, -5),
    "black": (-3, -3, -3, 5),
}
# What follows what, as logits; whatever is not named has _UNLIKELY.
_FOLLOWS = {
    "<start>": {"a": 4.0},
    "a": dict.fromkeys(COLOURS, 2.0) | {"photo": -1.0},
    **{colour: {"square": 3.0, "photo": 1.0} for colour in COLOURS},
    "square": {"<end>": 4.0},
    "photo": {"<end>": 4.0},
}
_UNLIKELY = -4.0
_END_GAIN_PER_WORD = 0.25


def write_tiny_bundle(
    directory: Path, *, attention: bool = True, calibrated: bool = True, repeatable_words: tuple[str, ...] | None = None
) -> Path:
    """Write the bundle into `directory`, which is made; returns it."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / ENCODER).write_bytes(build_encoder().SerializeToString())
    (directory / DECODER_START).write_bytes(build_decoder_start().SerializeToString())
    (directory / DECODER_STEP).write_bytes(build_decoder_step(attention=attention).SerializeToString())
    (directory / VOCABULARY).write_text(json.dumps(WORDS), encoding="utf-8")
    (directory / MODEL_CARD).write_text("# Tiny\n\nNames the colour of a square.\n", encoding="utf-8")
    write_manifest(directory, attention=attention, calibrated=calibrated, repeatable_words=repeatable_words)
    return directory


def write_manifest(
    directory: Path, *, attention: bool = True, calibrated: bool = True, repeatable_words: tuple[str, ...] | None = None
) -> None:
    """Write a manifest that fits whatever lies in `directory` now."""
    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        name="tiny",
        version="0.0.1",
        files=digest_files(directory),
        image=ImageSpec(height=SIDE, width=SIDE, canonical_size=24, resample="bicubic"),
        features=FeatureSpec(rows=GRID, columns=GRID, channels=CHANNELS),
        tokens=TOKENS,
        vocabulary_size=len(WORDS),
        decoding=SearchDefaults(beam_width=3, length_penalty=0.7, max_length=6, repeatable_words=repeatable_words),
        encoder=EncoderInfo(architecture="average", precision="float32"),
        decoder=DecoderInfo(architecture="handwritten", attention=attention),
        confidence=Calibration(slope=4.0, intercept=2.0) if calibrated else None,
        training={"dataset": "none", "seed": 0},
        scores={"dev": {"protocol": "none", "beam": {"CIDEr": 1.0}}},
    )
    (directory / "manifest.json").write_text(manifest.model_dump_json(indent=2), encoding="utf-8")


def build_encoder() -> ModelProto:
    """`images` uint8 [P, 32, 32, 3] → `features` [P, 16, 3]: the mean colour of each cell, in [0, 1]."""
    cell = SIDE // GRID
    nodes = [
        helper.make_node("Cast", ["images"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["pixels", "scale"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["planes"], ["pooled"], kernel_shape=[cell, cell], strides=[cell, cell]),
        helper.make_node("Reshape", ["pooled", "shape"], ["rows"]),
        helper.make_node("Transpose", ["rows"], ["features"], perm=[0, 2, 1]),
    ]
    return _model(
        nodes,
        inputs={"images": (TensorProto.UINT8, ["P", SIDE, SIDE, 3])},
        outputs={"features": (TensorProto.FLOAT, ["P", CELLS, CHANNELS])},
        constants={"scale": np.float32(1 / 255), "shape": np.array([0, CHANNELS, CELLS], np.int64)},
    )


def build_endless_encoder() -> ModelProto:
    """The same, but that it goes round and round before it gives its features."""
    model = build_encoder()
    model.graph.node[-1].output[0] = "grid"
    round_ = helper.make_graph(
        [helper.make_node("Identity", ["go_on"], ["still"]), helper.make_node("Identity", ["before"], ["after"])],
        "round",
        [
            helper.make_tensor_value_info("number", TensorProto.INT64, []),
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("before", TensorProto.FLOAT, ["P", CELLS, CHANNELS]),
        ],
        [
            helper.make_tensor_value_info("still", TensorProto.BOOL, []),
            helper.make_tensor_value_info("after", TensorProto.FLOAT, ["P", CELLS, CHANNELS]),
        ],
    )
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "always"))
    model.graph.node.append(helper.make_node("Loop", ["", "always", "grid"], ["features"], body=round_))
    return model


def build_decoder_start() -> ModelProto:
    """`features` → the grid itself, what its mean colour says for each word, and a word count of zero."""
    nodes = [
        helper.make_node("Identity", ["features"], ["context_grid"]),
        helper.make_node("ReduceMean", ["features"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["mean", "gains"], ["gained"]),
        helper.make_node("Add", ["gained", "bias"], ["context_colour"]),
        helper.make_node("Slice", ["mean", "zero", "two", "one"], ["first_channels"]),
        helper.make_node("Sub", ["first_channels", "first_channels"], ["state_count"]),
    ]
    return _model(
        nodes,
        inputs={"features": (TensorProto.FLOAT, ["P", CELLS, CHANNELS])},
        outputs={
            "context_grid": (TensorProto.FLOAT, ["P", CELLS, CHANNELS]),
            "context_colour": (TensorProto.FLOAT, ["P", len(WORDS)]),
            "state_count": (TensorProto.FLOAT, ["P", 2]),
        },
        constants={
            **start_constants(),
            "zero": np.array([0], np.int64),
            "one": np.array([1], np.int64),
            "two": np.array([2], np.int64),
        },
    )


def build_decoder_step(*, attention: bool = True) -> ModelProto:
    """One word further: logits by the last word, by the picture where a colour is due, and by the number of words so
    far."""
    nodes = [
        helper.make_node("Gather", ["follows", "tokens"], ["by_word"]),
        helper.make_node("Gather", ["colour_due", "tokens"], ["due"]),
        helper.make_node("Unsqueeze", ["context_colour", "axis_one"], ["colour"]),
        helper.make_node("Mul", ["due", "colour"], ["by_picture"]),
        helper.make_node("Add", ["state_count", "one"], ["next_state_count"]),
        helper.make_node("MatMul", ["next_state_count", "end_gain"], ["by_length"]),
        helper.make_node("Sum", ["by_word", "by_picture", "by_length"], ["logits"]),
        helper.make_node("LogSoftmax", ["logits"], ["log_probabilities"], axis=-1),
    ]
    outputs: Ports = {
        "log_probabilities": (TensorProto.FLOAT, ["P", "K", len(WORDS)]),
        "next_state_count": (TensorProto.FLOAT, ["P", "K", 2]),
    }
    if attention:
        nodes += [
            helper.make_node("Gather", ["queries", "tokens"], ["query"]),
            helper.make_node("Transpose", ["context_grid"], ["keys"], perm=[0, 2, 1]),
            helper.make_node("MatMul", ["query", "keys"], ["match"]),
            helper.make_node("Softmax", ["match"], ["attention"], axis=-1),
        ]
        outputs["attention"] = (TensorProto.FLOAT, ["P", "K", CELLS])
    return _model(
        nodes,
        inputs={
            "tokens": (TensorProto.INT32, ["P", "K"]),
            "context_grid": (TensorProto.FLOAT, ["P", CELLS, CHANNELS]),
            "context_colour": (TensorProto.FLOAT, ["P", len(WORDS)]),
            "state_count": (TensorProto.FLOAT, ["P", "K", 2]),
        },
        outputs=outputs,
        constants=step_constants() | {"one": np.float32(1), "axis_one": np.array([1], np.int64)},
    )


def start_constants() -> dict[str, npt.ArrayLike]:
    """What the mean colour says for each word: `gains` [CHANNELS, V], and `bias` [V] in its absence."""
    gains = np.zeros((CHANNELS, len(WORDS)), np.float32)
    bias = np.zeros(len(WORDS), np.float32)
    for word, (*channels, constant) in _COLOUR_GAINS.items():
        gains[:, WORDS.index(word)] = channels
        bias[WORDS.index(word)] = constant
    return {"gains": gains, "bias": bias}


def step_constants() -> dict[str, npt.ArrayLike]:
    """What a step knows of its last token: logits `follows`, `colour_due`, attention's `queries`; and the end's
    gain."""
    follows = np.full((len(WORDS), len(WORDS)), _UNLIKELY, np.float32)
    for word, successors in _FOLLOWS.items():
        for successor, logit in successors.items():
            follows[WORDS.index(word), WORDS.index(successor)] = logit
    colour_due = np.zeros((len(WORDS), 1), np.float32)
    colour_due[WORDS.index("a")] = 1
    queries = np.zeros((len(WORDS), CHANNELS), np.float32)
    for word, rgb in COLOURS.items():
        queries[WORDS.index(word)] = 8 * (np.array(rgb) / 255 - 0.5)
    end_gain = np.zeros((2, len(WORDS)), np.float32)
    end_gain[:, TOKENS.end] = _END_GAIN_PER_WORD / 2
    return {
        "follows": follows,
        "colour_due": colour_due,
        "queries": queries,
        "end_gain": end_gain,
    }


def _model(
    nodes: list[Any],
    *,
    inputs: Ports,
    outputs: Ports,
    constants: dict[str, npt.ArrayLike],
) -> ModelProto:
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    checker.check_model(model, full_check=True)
    return model
