"""A fit gets better, stops in time, and ends the same whether or not it was killed on the way."""

from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import pytest

from photocaption.model.vocabulary import Vocabulary
from training.config import TrainingConfig
from training.data.batches import Batches, TrainingPhotos
from training.data.mixture import Mixture
from training.data.photo import Photo
from training.data.views import WHOLE, PhotoView
from training.errors import TrainingError
from training.fit.checkpoint import Progress, read_weights
from training.fit.fitting import SmoothedCrossEntropy, fit
from training.models.decoder import Decoder, build_decoder


class _KilledError(Exception):
    pass


class _Fit:
    """Everything that a fit takes, made anew for each, as a new process would."""

    def __init__(
        self, config: TrainingConfig, photos: list[Photo], vocabulary: Vocabulary, features: dict[str, np.ndarray]
    ) -> None:
        def load(batch: Sequence[PhotoView]) -> np.ndarray:
            return np.stack([features[photo.name] for photo, _ in batch])

        self.config = config
        self.decoder = build_decoder(len(vocabulary), 4, 6, config.decoder, config.fitting.seed)
        self.batches = Batches(
            TrainingPhotos(photos, Mixture([len(photos)], None, 2), [[WHOLE]] * len(photos), load),
            vocabulary,
            max_length=6,
            seed=config.fitting.seed,
        )

    def run(self, folder: Path, scores: Sequence[float] = (1, 2, 3, 4), killed_in_epoch: int | None = None) -> Progress:
        remaining = iter(scores)
        original = self.decoder.train_on_batch
        calls = 0

        def train_on_batch(*arguments: object, **options: object) -> object:
            nonlocal calls
            calls += 1
            if killed_in_epoch is not None and calls == killed_in_epoch * len(self.batches) + 2:
                raise _KilledError
            return original(*arguments, **options)

        self.decoder.train_on_batch = train_on_batch
        return fit(self.decoder, self.batches, lambda _: next(remaining), self.config.fitting, folder)


NewFit = Callable[..., _Fit]


@pytest.fixture
def new_fit(
    config: TrainingConfig, photos: list[Photo], vocabulary: Vocabulary, features: dict[str, np.ndarray]
) -> NewFit:
    def make(changes: dict[str, float] | None = None) -> _Fit:
        fitting = config.fitting.model_copy(update=changes or {})
        return _Fit(config.model_copy(update={"fitting": fitting}), photos, vocabulary, features)

    return make


def _same(one: Decoder, other: Decoder) -> bool:
    weights = read_weights(one), read_weights(other)
    return all(np.array_equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_the_loss_falls(new_fit: NewFit, tmp_path: Path) -> None:
    history = new_fit({"epochs": 8, "learning_rate": 0.02}).run(tmp_path, range(8)).history

    assert history[-1].loss < history[0].loss - 0.2


def test_a_fit_killed_in_the_middle_of_an_epoch_ends_as_an_undisturbed_one(new_fit: NewFit, tmp_path: Path) -> None:
    whole, killed, resumed = new_fit(), new_fit(), new_fit()
    whole.run(tmp_path / "whole")
    with pytest.raises(_KilledError):
        killed.run(tmp_path / "other", killed_in_epoch=1)

    progress = resumed.run(tmp_path / "other", scores=(2, 3, 4))

    assert _same(whole.decoder, resumed.decoder)
    assert not _same(whole.decoder, killed.decoder)
    assert [record.epoch for record in progress.history] == [0, 1, 2]


def test_running_a_finished_fit_again_changes_nothing(new_fit: NewFit, tmp_path: Path) -> None:
    first, again = new_fit(), new_fit()
    first.run(tmp_path)
    again.run(tmp_path, scores=())

    assert _same(first.decoder, again.decoder)


def test_the_best_epoch_is_kept_and_the_fit_stops_when_it_gets_no_better(
    new_fit: NewFit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short, long = new_fit({"epochs": 9, "patience": 2}), new_fit({"epochs": 9, "patience": 9})

    progress = short.run(tmp_path / "short", scores=(1, 5, 2, 3, 9))
    told = capsys.readouterr().err
    long.run(tmp_path / "long", scores=(1, 5, 2, 3, 1, 1, 1, 1, 1))

    assert [record.score for record in progress.history] == [1, 5, 2, 3]
    assert progress.best is not None
    assert progress.best.epoch == 1
    assert _same(short.decoder, long.decoder)
    assert "no dev score in 2 epochs was better than that of epoch 2" in told
    assert "Stopped" not in capsys.readouterr().err


def test_tensorboard_finds_the_curves(new_fit: NewFit, tmp_path: Path) -> None:
    new_fit().run(tmp_path)

    (events,) = (tmp_path / "log").iterdir()
    assert b"dev/CIDEr" in events.read_bytes()


def test_a_checkpoint_of_another_model_is_refused(new_fit: NewFit, tmp_path: Path) -> None:
    new_fit().run(tmp_path)
    other = new_fit()
    other.decoder = build_decoder(11, 4, 6, other.config.decoder.model_copy(update={"architecture": "pooled"}))

    with pytest.raises(TrainingError, match="another model"):
        other.run(tmp_path)


def _loss(targets: list[int], logits: np.ndarray, weights: list[float], smoothing: float = 0.0) -> float:
    arguments = (np.array([[targets]], np.int32), logits[None, None].astype(np.float32))
    loss = SmoothedCrossEntropy(smoothing)(*arguments, sample_weight=np.array([[weights]], np.float32))
    return float(keras.ops.convert_to_numpy(loss))


def test_targets_of_no_weight_do_not_count_in_the_loss() -> None:
    logits = np.random.default_rng(0).normal(size=(3, 7))

    assert _loss([4, 2, 0], logits, [0.5, 0.5, 0], 0.1) == pytest.approx(_loss([4, 2], logits[:2], [0.5, 0.5], 0.1))


def test_without_smoothing_the_loss_is_the_weighted_negative_log_likelihood() -> None:
    logits = np.log(np.array([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]]))

    assert _loss([3, 1], logits, [0.5, 0.5]) == pytest.approx(-(np.log(0.4) + np.log(0.3)) / 2, rel=1e-5)
    assert _loss([3, 1], logits, [1, -2]) == pytest.approx(-(np.log(0.4) - 2 * np.log(0.3)), rel=1e-5)
