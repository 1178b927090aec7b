"""Differences of fine-tuned encoder weights from ImageNet's, quantised in steps of a quarter of their standard
deviation and published beside a bundle.

The float16 weights of a whole Xception would be twice the size of the bundle; the differences compress to half a byte a
weight. The encoder that serves is exported from the quantised differences.
"""

import hashlib
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from photocaption.model.bundle import Bundle
from training.arrays import Arrays, read_arrays
from training.errors import TrainingError

ENCODER_DIFFERENCES = "encoder_differences.npz"
"""The file with the fine-tuned differences: for comparison with float32, and for further training."""

_STEPS_PER_DEVIATION = 4
_MAX_STEPS = 127
_STEP = ":step"


def measure(before: keras.Model, after: keras.Model) -> Arrays:
    """Differences int8, each with its step, by the names of the trainable weights of `after`, a part of `before`."""
    differences: Arrays = {}
    old = _name_variables(before)
    for name, variable in _name_variables(after).items():
        if variable.trainable:
            change = ops.convert_to_numpy(variable) - ops.convert_to_numpy(old[name])
            step = np.float32(max(float(change.std()), 1e-12) / _STEPS_PER_DEVIATION)
            differences[name] = np.clip(np.rint(change / step), -_MAX_STEPS, _MAX_STEPS).astype(np.int8)
            differences[name + _STEP] = np.array(step)
    return differences


def add(network: keras.Model, differences: Arrays) -> None:
    """Put fine-tuned weights into a network that has ImageNet's."""
    variables = _name_variables(network)
    for name, steps in differences.items():
        if not name.endswith(_STEP):
            change = steps.astype(np.float32) * float(differences[name + _STEP])
            variables[name].assign(ops.convert_to_numpy(variables[name]) + change)


def training_folder(bundle: Path) -> Path:
    """The folder beside a bundle with the files that only training needs."""
    return bundle.with_name(f"{bundle.name}-training")


def read_tuned(bundle: Bundle) -> Arrays:
    """The fine-tuned differences of a bundle's encoder; empty where it has ImageNet's weights.

    The manifest has the hash of their file and the share for the interpolation under `training.encoder`. Raises
    TrainingError when that file is not beside the bundle.
    """
    record = bundle.manifest.training.get("encoder")
    if not isinstance(record, dict):
        return {}
    path = training_folder(bundle.path) / ENCODER_DIFFERENCES
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TrainingError(f"{path} is needed to export the encoder again: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != record["sha256"]:
        raise TrainingError(f"{path} is not the file that the bundle was made with")
    return scale(read_arrays(data), float(str(record["share"])))


def scale(differences: Arrays, share: float) -> Arrays:
    """Differences times a share: weight interpolation with ImageNet's weights (Wortsman et al. 2022)."""
    return {
        name: (array * np.float32(share)).astype(np.float32) if name.endswith(_STEP) else array
        for name, array in differences.items()
    }


def save(path: Path, differences: Arrays) -> None:
    """Write differences to a file that `training.arrays.read_arrays` reads."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:  # a tenth smaller than NumPy's own compression
        for name, array in differences.items():
            with archive.open(f"{name}.npy", "w") as stream:
                np.lib.format.write_array(stream, np.asarray(array), allow_pickle=False)


def _name_variables(network: keras.Model) -> dict[str, Any]:
    """Weights by layer and name."""
    return {f"{layer.name}/{variable.name}": variable for layer in network.layers for variable in layer.variables}
