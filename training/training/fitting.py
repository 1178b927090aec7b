"""Fits a decoder by teacher forcing, and stops when captions of the dev split stop getting better.

The published weights are the moving average of those along the way (Polyak and Juditsky 1992) at the epoch with the
highest dev CIDEr: loss on dev keeps falling or starts rising at other times than the quality of sentences does.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from tensorboardX import SummaryWriter

from training.batches import Batches
from training.checkpoint import EpochRecord, Progress, load_checkpoint, read_weights, save_checkpoint, write_weights
from training.config import FittingConfig
from training.decoder import Decoder, Tensor
from training.progress import say, track
from training.words import TOKENS

Score = Callable[[Decoder], float]


def fit(decoder: Decoder, batches: Batches, score: Score, config: FittingConfig, run: Path) -> Progress:
    """Fit a decoder and leave the best weights in it.

    `score` gives the dev CIDEr × 100 of the decoder as it is. Goes on from `run/checkpoint.npz` where there is one;
    writes TensorBoard events to `run/log`.
    """
    decoder.compile(
        optimizer=_build_optimizer(config, len(batches)), loss=smoothed_cross_entropy(config.label_smoothing)
    )
    decoder.optimizer.build(decoder.trainable_variables)
    run.mkdir(parents=True, exist_ok=True)
    checkpoint = run / "checkpoint.npz"
    progress = load_checkpoint(checkpoint, decoder)
    with SummaryWriter(str(run / "log"), purge_step=len(progress.history)) as log:
        while not _is_done(progress, config):
            _run_epoch(decoder, batches, score, progress, config)
            save_checkpoint(checkpoint, decoder, progress)
            _report(progress, log)
    write_weights(decoder, progress.best_weights)
    return progress


def smoothed_cross_entropy(label_smoothing: float) -> Callable[[Tensor, Tensor], Tensor]:
    """Mean negative log-likelihood of the target words in nats, padding left out, mixed with that of the uniform
    distribution.

    Label smoothing: Szegedy et al. 2016.
    """

    def loss(targets: Tensor, logits: Tensor) -> Tensor:
        log_probabilities = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
        likelihood = ops.take_along_axis(log_probabilities, targets[..., None], axis=-1)[..., 0]
        uniform = ops.mean(log_probabilities, axis=-1)
        words = ops.cast(targets != TOKENS.padding, "float32")
        mixed = (1 - label_smoothing) * likelihood + label_smoothing * uniform
        return -ops.sum(mixed * words) / ops.sum(words)

    return loss


def _build_optimizer(config: FittingConfig, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    warmup = round(config.warmup_epochs * steps_per_epoch)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else config.learning_rate,
        warmup_target=config.learning_rate if warmup else None,
        warmup_steps=warmup,
        decay_steps=max(config.epochs * steps_per_epoch - warmup, 1),
    )
    return keras.optimizers.AdamW(
        schedule,
        weight_decay=config.weight_decay,
        global_clipnorm=config.clip_norm,
        use_ema=config.average_decay > 0,
        ema_momentum=config.average_decay,
    )


def _is_done(progress: Progress, config: FittingConfig) -> bool:
    return len(progress.history) >= config.epochs or progress.epochs_since_best >= config.patience


def _run_epoch(decoder: Decoder, batches: Batches, score: Score, progress: Progress, config: FittingConfig) -> None:
    epoch = len(progress.history)
    decoder.reseed(epoch)
    begun, losses, captions = time.monotonic(), [], 0
    with track(f"epoch {epoch + 1}/{config.epochs}", total=len(batches), unit="batches") as advance:
        for batch in batches.epoch(epoch):
            losses.append(float(decoder.train_on_batch((batch.features, batch.tokens), batch.targets)))
            captions += int(np.any(batch.targets != TOKENS.padding, axis=-1).sum())
            advance(1)
    seconds = time.monotonic() - begun
    with _averaged_weights(decoder, config):
        cider = score(decoder)
        progress.history.append(EpochRecord(epoch, float(np.mean(losses)), cider, captions / seconds))
        if progress.best is progress.history[-1]:
            progress.best_weights = read_weights(decoder)


@contextmanager
def _averaged_weights(decoder: Decoder, config: FittingConfig) -> Iterator[None]:
    """Hold the moving average in the decoder for a while."""
    if not config.average_decay:
        yield
        return
    current = read_weights(decoder)
    decoder.optimizer.finalize_variable_values(decoder.trainable_variables)
    try:
        yield
    finally:
        write_weights(decoder, current)


def _report(progress: Progress, log: Any) -> None:  # noqa: ANN401 - tensorboardX is untyped
    record = progress.history[-1]
    best = " (best so far)" if progress.epochs_since_best == 0 else ""
    say(f"epoch {record.epoch + 1}: loss {record.loss:.3f}, dev CIDEr {record.cider:.1f}{best}")
    log.add_scalar("train/loss", record.loss, record.epoch)
    log.add_scalar("dev/CIDEr", record.cider, record.epoch)
    log.add_scalar("train/captions_per_second", record.captions_per_second, record.epoch)
    log.flush()
