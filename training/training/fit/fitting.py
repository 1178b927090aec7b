"""Fits a decoder to batches, with early stopping by the dev score.

Teacher forcing and self-critical training differ only in their batches: references or samples, and the weights of
targets.

The published weights are the moving average (Polyak and Juditsky 1992) at the epoch with the highest dev score, which
is not the epoch with the lowest loss on dev.
"""

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np
from keras import ops
from tensorboardX import SummaryWriter

from training.config import ScheduleConfig
from training.data.batches import Batch
from training.data.words import TOKENS
from training.evaluation.history import CHECKPOINT, EpochRecord
from training.fit.checkpoint import Progress, load_checkpoint, read_weights, save_checkpoint, write_weights
from training.models.decoder import Tensor
from training.progress import say, track

_NEVER = -1e9  # added to a logit: no probability is left, and zero times it is still zero

Learner = Any  # a Keras model that can be reseeded, as `training.models.decoder.Decoder`
Score = Callable[[Learner], float]


class BatchSource(Protocol):
    """Batches of each epoch, which depend on the epoch and the decoder alone."""

    def __len__(self) -> int: ...

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of an epoch."""
        ...


def fit(
    decoder: Learner,
    batches: BatchSource,
    score: Score,
    config: ScheduleConfig,
    run: Path,
    *,
    never: Sequence[int] = (),
    optimizer: keras.optimizers.Optimizer | None = None,
) -> Progress:
    """Fit a decoder, or a model around one, and leave the best weights in it.

    `score`: the dev score; `never`: tokens that are left out of the loss; `optimizer`: instead of AdamW with the
    schedule. Continues from `run/checkpoint.npz` where there is one; writes TensorBoard events to `run/log`.
    """
    warnings.filterwarnings("ignore", "Gradients do not exist")  # captions without photos have none for what looks
    loss = SmoothedCrossEntropy(config.label_smoothing, never)
    decoder.compile(optimizer=optimizer or _build_optimizer(config, len(batches)), loss=loss)
    decoder.optimizer.build(decoder.trainable_variables)
    run.mkdir(parents=True, exist_ok=True)
    checkpoint = run / CHECKPOINT
    progress = load_checkpoint(checkpoint, decoder)
    with SummaryWriter(str(run / "log"), purge_step=len(progress.history)) as log:
        while not _is_done(progress, config):
            _run_epoch(decoder, batches, score, progress, config)
            save_checkpoint(checkpoint, decoder, progress)
            _report(progress, log)
    if progress.best and len(progress.history) < config.epochs:
        best = progress.best.epoch + 1
        say(f"Stopped early: no dev score in {config.patience} epochs was better than that of epoch {best}; it is kept")
    write_weights(decoder, progress.best_weights)
    return progress


class SmoothedCrossEntropy(keras.losses.Loss):  # type: ignore[misc]  # Keras is untyped
    """Negative log-likelihood of the target words in nats, mixed with that of the uniform distribution, times the
    weights of the batch, summed.

    With weights that sum to one it is a mean over words; with advantages its gradient is that of REINFORCE (Williams
    1992). Label smoothing: Szegedy et al. 2016. `never`: tokens that have probability 0, and must not be targets.
    """

    def __init__(self, label_smoothing: float, never: Sequence[int] = ()) -> None:
        super().__init__(name="smoothed_cross_entropy", reduction="sum")
        self._label_smoothing, self._never = label_smoothing, list(never)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Losses [P, C, T] of targets [P, C, T] under logits [P, C, T, V]."""
        written = np.ones(y_pred.shape[-1], np.float32)
        written[self._never] = 0
        logits = ops.cast(y_pred, "float32") + np.where(written, 0, _NEVER).astype(np.float32)
        log_probabilities = ops.log_softmax(logits, axis=-1)
        targets = ops.cast(y_true, "int32")
        likelihood = ops.take_along_axis(log_probabilities, targets[..., None], axis=-1)[..., 0]
        uniform = ops.sum(log_probabilities * written, axis=-1) / written.sum()
        return -((1 - self._label_smoothing) * likelihood + self._label_smoothing * uniform)


def build_schedule(peak: float, steps: int, warmup: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """One cycle of `steps`: a linear warm-up of `warmup` steps to the peak, then a cosine to zero."""
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else peak,
        warmup_target=peak if warmup else None,
        warmup_steps=warmup,
        decay_steps=max(steps - warmup, 1),
    )


def _build_optimizer(config: ScheduleConfig, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    warmup = round(config.warmup_epochs * steps_per_epoch)
    return keras.optimizers.AdamW(
        build_schedule(config.learning_rate, config.epochs * steps_per_epoch, warmup),
        weight_decay=config.weight_decay,
        beta_2=config.moment_decay,
        global_clipnorm=config.clip_norm,
        use_ema=config.average_decay > 0,
        ema_momentum=config.average_decay,
    )


def _is_done(progress: Progress, config: ScheduleConfig) -> bool:
    return len(progress.history) >= config.epochs or progress.epochs_since_best >= config.patience


def _run_epoch(
    decoder: Learner, batches: BatchSource, score: Score, progress: Progress, config: ScheduleConfig
) -> None:
    epoch = len(progress.history)
    decoder.reseed(epoch)
    begun = time.monotonic()
    losses = []
    rewards = []
    captions = 0
    with track(f"epoch {epoch + 1}/{config.epochs}", total=len(batches), unit="batches") as advance:
        for batch in batches.epoch(epoch):
            decoder.reset_metrics()  # else each loss would be the mean of all before it
            inputs = (*batch.inputs, batch.tokens)
            losses.append(float(decoder.train_on_batch(inputs, batch.targets, sample_weight=batch.weights)))
            rewards.append(batch.reward)
            captions += int(np.any(batch.targets != TOKENS.padding, axis=-1).sum())
            advance(1)
    seconds = time.monotonic() - begun
    with _averaged_weights(decoder, config):
        cider = score(decoder)
        record = EpochRecord(epoch, float(np.mean(losses)), cider, captions / seconds, _mean(rewards))
        progress.history.append(record)
        if progress.best is progress.history[-1]:
            progress.best_weights = read_weights(decoder)


def _mean(rewards: Sequence[float | None]) -> float | None:
    known = [reward for reward in rewards if reward is not None]
    return float(np.mean(known)) if known else None


@contextmanager
def _averaged_weights(decoder: Learner, config: ScheduleConfig) -> Iterator[None]:
    """Hold the moving average in the decoder for a while."""
    if not config.average_decay:
        yield
        return
    current = read_weights(decoder)
    decoder.optimizer.finalize_variable_values(decoder.trainable_variables)
    write_weights(decoder, read_weights(decoder))  # copies: under JAX a model that predicts uses up its own arrays
    try:
        yield
    finally:
        write_weights(decoder, current)


def _report(progress: Progress, log: Any) -> None:  # noqa: ANN401 - tensorboardX is untyped
    record = progress.history[-1]
    best = " (best so far)" if progress.epochs_since_best == 0 else ""
    fitted = f"loss {record.loss:.3f}" if record.reward is None else f"reward {record.reward:.3f}"
    say(f"epoch {record.epoch + 1}: {fitted}, dev score {record.score:.1f}{best}")
    log.add_scalar("train/loss", record.loss, record.epoch)
    if record.reward is not None:
        log.add_scalar("train/reward", record.reward, record.epoch)
    log.add_scalar("dev/CIDEr", record.score, record.epoch)
    log.add_scalar("train/captions_per_second", record.captions_per_second, record.epoch)
    log.flush()
