"""The tiny bundle's encoder and decoder once more, as the SavedModel that the TensorFlow runtime reads. Needs
TensorFlow."""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from photocaption.model.bundle import SAVED_MODEL
from support.tiny_bundle import CELLS, CHANNELS, SIDE, WORDS, start_constants, step_constants, write_manifest


def add_saved_model(bundle: Path) -> None:
    """Write `saved_model/` into a tiny bundle, and a manifest that lists it."""
    tf.saved_model.save(tf.Module(), str(bundle / SAVED_MODEL), signatures=build_signatures())
    write_manifest(bundle)


def build_signatures() -> dict[str, Any]:
    """`encode`, `start` and `step` with the names and tensors of the ONNX files."""
    floats = tf.float32
    return {
        "encode": tf.function(_encode, input_signature=[tf.TensorSpec([None, SIDE, SIDE, 3], tf.uint8, "images")]),
        "start": tf.function(_start, input_signature=[tf.TensorSpec([None, CELLS, CHANNELS], floats, "features")]),
        "step": tf.function(
            _step,
            input_signature=[
                tf.TensorSpec([None, None], tf.int32, "tokens"),
                tf.TensorSpec([None, CELLS, CHANNELS], floats, "context_grid"),
                tf.TensorSpec([None, len(WORDS)], floats, "context_colour"),
                tf.TensorSpec([None, None, 2], floats, "state_count"),
            ],
        ),
    }


def _encode(images: tf.Tensor) -> dict[str, tf.Tensor]:
    pooled = tf.nn.avg_pool2d(tf.cast(images, tf.float32) / 255, SIDE // 4, SIDE // 4, "VALID")
    return {"features": tf.reshape(pooled, [-1, CELLS, CHANNELS])}


def _start(features: tf.Tensor) -> dict[str, tf.Tensor]:
    constants = start_constants()
    mean = tf.reduce_mean(features, axis=1)
    colour = mean @ constants["gains"] + constants["bias"]
    return {"context_grid": tf.identity(features), "context_colour": colour, "state_count": tf.zeros_like(mean[:, :2])}


def _step(
    tokens: tf.Tensor, context_grid: tf.Tensor, context_colour: tf.Tensor, state_count: tf.Tensor
) -> dict[str, tf.Tensor]:
    constants = {name: np.asarray(value) for name, value in step_constants().items()}
    counted = state_count + 1
    logits = tf.gather(constants["follows"], tokens) + counted @ constants["end_gain"]
    logits += tf.gather(constants["colour_due"], tokens) * context_colour[:, None]
    match = tf.matmul(tf.gather(constants["queries"], tokens), context_grid, transpose_b=True)
    return {
        "log_probabilities": tf.nn.log_softmax(logits),
        "attention": tf.nn.softmax(match),
        "next_state_count": counted,
    }
