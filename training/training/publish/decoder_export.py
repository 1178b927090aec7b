"""Writes the decoder's two faces of serving, start and step, as the bundle's ONNX files and as an optional SavedModel.

The tensors and their names are the contract of docs/architecture.md. Weights are rounded to float16 first, and both
forms get the rounded ones, so that they agree with each other and with the scores.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import tensorflow as tf

from photocaption.model.bundle import DECODER_START, DECODER_STEP, SAVED_MODEL
from photocaption.model.manifest import FeatureSpec, ImageSpec
from training.encoder import onnx_graphs
from training.models.decoder import Decoder, InputProjection
from training.publish import start_graph, step_graph

_STATES = ("state_h", "state_c")


def round_weights(decoder: Decoder) -> None:
    """Round every weight, learnt with the captions or before them, to what float16 can hold."""
    for weight in decoder.weights:
        weight.assign(keras.ops.convert_to_numpy(weight).astype(np.float16).astype(np.float32))


def export_decoder(decoder: Decoder, features: FeatureSpec, precision: str, folder: Path) -> None:
    """Write `decoder_start.onnx` and `decoder_step.onnx` into a folder; `precision` is that of their matrices."""
    contexts = [*_context_shapes(decoder, features)]
    start = onnx_graphs.convert(
        _start_of(decoder, contexts), [_features_spec(features)], [*contexts, *_STATES], "start"
    )
    table = _tabulate(decoder) if precision == "int8" else None
    step = onnx_graphs.convert(
        _step_of(decoder, contexts, table), _step_specs(decoder, features), _step_outputs(decoder), "step"
    )
    for model in (start, step):
        if precision == "int8":
            onnx_graphs.store_eight_bits(model)
        onnx_graphs.store_half_precision(model)
    save_decoder(start, step, features, folder)


def save_decoder(start: onnx.ModelProto, step: onnx.ModelProto, features: FeatureSpec, folder: Path) -> None:
    """Write the two graphs into a folder as ONNX Runtime takes the least time for them."""
    onnx_graphs.average_by_products(start, features.cells)
    start_graph.rewrite(start, features.cells)
    step_graph.pick_likeliest(step)
    step_graph.rewrite(step)
    for model, name in ((start, DECODER_START), (step, DECODER_STEP)):
        onnx_graphs.save(model, folder / name)


def export_saved_model(
    encoder: keras.Model, decoder: Decoder, image: ImageSpec, features: FeatureSpec, folder: Path
) -> None:
    """Write `saved_model/` with the signatures `encode`, `start` and `step` into a folder."""
    images = tf.TensorSpec((None, image.height, image.width, 3), tf.uint8, name="images")
    contexts = [*_context_shapes(decoder, features)]
    signatures = {
        "encode": _sign(lambda images: (encoder(images, training=False),), [images], ["features"]),
        "start": _sign(_start_of(decoder, contexts), [_features_spec(features)], [*contexts, *_STATES]),
        "step": _sign(_step_of(decoder, contexts), _step_specs(decoder, features), _step_outputs(decoder)),
    }
    module = tf.Module()
    module.variables_ = [weight.value for model in (encoder, decoder) for weight in model.weights]
    tf.saved_model.save(module, str(folder / SAVED_MODEL), signatures=signatures)


def _context_shapes(decoder: Decoder, features: FeatureSpec) -> dict[str, tuple[int | None, ...]]:
    """What `Decoder.start` gives of a photo beside the state, by name."""
    shapes: dict[str, tuple[int | None, ...]] = {"context_image": (None, 4 * decoder.units)}
    if attention := decoder.attention:
        heads = attention.heads
        units = attention.head_units
        cells = features.cells
        shapes |= {"context_keys": (None, heads, units, cells), "context_values": (None, heads, cells, units)}
    if decoder.evidence:
        shapes["context_words"] = (None, decoder.embedding.table.shape[0])
    return shapes


def _tabulate(decoder: Decoder) -> InputProjection:
    """`Decoder.project_input` as a table with a row for each word: one large product less a step. In float32 it would
    be half the bundle.
    """
    table = keras.ops.convert_to_numpy(decoder.project_input(np.arange(decoder.embedding.table.shape[0])))
    return lambda tokens: tf.gather(table, tokens)


def _step_outputs(decoder: Decoder) -> list[str]:
    attention = ["attention"] if decoder.attention else []
    return ["log_probabilities", *attention, *(f"next_{name}" for name in _STATES)]


def _features_spec(features: FeatureSpec) -> Any:  # noqa: ANN401 - TensorFlow is untyped
    return tf.TensorSpec((None, features.cells, features.channels), tf.float32, name="features")


def _step_specs(decoder: Decoder, features: FeatureSpec) -> list[Any]:
    specs = [tf.TensorSpec((None, None), tf.int32, name="tokens")]
    specs += [tf.TensorSpec(shape, tf.float32, name) for name, shape in _context_shapes(decoder, features).items()]
    return specs + [tf.TensorSpec((None, None, decoder.units), tf.float32, name=name) for name in _STATES]


def _start_of(decoder: Decoder, contexts: Sequence[str]) -> Any:  # noqa: ANN401
    def start(features: Any) -> tuple[Any, ...]:  # noqa: ANN401
        context, state = decoder.start(features)
        return (*(context[name] for name in contexts), *(state[name] for name in _STATES))

    return start


def _step_of(decoder: Decoder, contexts: Sequence[str], project_input: InputProjection | None = None) -> Any:  # noqa: ANN401
    def step(tokens: Any, *tensors: Any) -> tuple[Any, ...]:  # noqa: ANN401
        context, state = tensors[: len(contexts)], tensors[len(contexts) :]
        outputs = decoder.step(
            tokens, dict(zip(contexts, context, strict=True)), dict(zip(_STATES, state, strict=True)), project_input
        )
        return tuple(outputs[name] for name in _step_outputs(decoder))

    return step


def _sign(function: Any, specs: list[Any], outputs: list[str]) -> Any:  # noqa: ANN401
    """A TensorFlow function that returns its outputs under their names, as signatures must."""

    def named(*tensors: Any) -> dict[str, Any]:  # noqa: ANN401
        return dict(zip(outputs, function(*tensors), strict=True))

    return tf.function(named, input_signature=specs, autograph=False)
