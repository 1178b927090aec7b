"""Fits the tagger, by itself: two linear layers on pooled features, one for the words that captions have and one for
the kind of subject.

Shapes: P photos, or views of them, C channels, G tags, K kinds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from photocaption.model.runtime import Floats
from training.arrays import Arrays
from training.config import TagsConfig
from training.data.tags import UNKNOWN, Targets
from training.models.decoder import Tensor
from training.models.evidence import Evidence, weigh_kinds

_BATCH = 256
_BALANCE = 0.6  # 0: every photo counts as much as any other, 1: every kind does
_SCALE = 40.0  # pooled features have unit length: so large, a step moves logits as far as it does those of other layers


@dataclass(frozen=True, slots=True)
class Tagger:
    """Two linear layers: `tags` [C + 1, G] and `kinds` [C + 1, K], the bias in the last row; `of_kinds` [K, G]: what
    the log-odds of kinds add to tags.
    """

    tags: Floats
    kinds: Floats
    of_kinds: Floats

    @classmethod
    def of(cls, decoder: Arrays) -> "Tagger":
        """That of a decoder, whose weights are given by the last two parts of their path."""
        tags, kinds = (
            np.concatenate([decoder[f"{layer}/kernel"], decoder[f"{layer}/bias"][None]])
            if f"{layer}/bias" in decoder
            else np.zeros((0, 0), np.float32)
            for layer in ("tagger", "kinds")
        )
        return cls(tags, kinds, decoder.get("evidence/of_kinds", np.zeros((0, 0), np.float32)))

    def judge(self, pooled: Floats) -> Floats:
        """Evidence [P, G] of pooled features [P, C], as `Evidence.recognise_pooled` gives it."""
        evidence: Floats = pooled @ self.tags[:-1] + self.tags[-1]
        if len(self.of_kinds):
            evidence += ops.convert_to_numpy(weigh_kinds(pooled @ self.kinds[:-1] + self.kinds[-1])) @ self.of_kinds
        return evidence

    def put_into(self, evidence: Evidence) -> None:
        """Make these the weights of a decoder's tagger."""
        evidence.tagger.set_weights([self.tags[:-1], self.tags[-1]])
        if evidence.kinds is not None and evidence.of_kinds is not None:
            evidence.kinds.set_weights([self.kinds[:-1], self.kinds[-1]])
            evidence.of_kinds.assign(self.of_kinds)


def fit_tagger(pooled: Floats, targets: Targets, of_kinds: Floats, config: TagsConfig, seed: int) -> Tagger:
    """The tagger that P pooled features [P, C] and what their photos show teach."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((pooled.shape[1],))
    layers = [keras.layers.Dense(targets.tags.shape[1], name="tags")]
    answers: dict[str, npt.NDArray[Any]] = {"tags": targets.tags}
    losses: dict[str, Any] = {"tags": _score_tags}
    if len(of_kinds):
        layers.append(keras.layers.Dense(len(of_kinds), name="kinds"))
        answers["kinds"] = targets.kinds
        losses["kinds"] = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
    model = keras.Model(inputs, {layer.name: layer(inputs * _SCALE) for layer in layers})
    batches = max(1, len(pooled) // _BATCH)
    rate = keras.optimizers.schedules.CosineDecay(config.learning_rate, config.epochs * batches)
    model.compile(keras.optimizers.AdamW(rate, weight_decay=config.weight_decay), losses)
    weights = {"tags": np.ones(len(pooled), np.float32), "kinds": _balance(targets.kinds)}
    random = np.random.default_rng(seed)
    for _ in range(config.epochs):
        for rows in random.permutation(len(pooled))[: batches * _BATCH].reshape(batches, -1):
            model.train_on_batch(
                pooled[rows],
                {name: shown[rows] for name, shown in answers.items()},
                {name: weights[name][rows] for name in answers},
            )
    return Tagger(_read(layers[0]), _read(layers[1]) if len(layers) > 1 else np.zeros((0, 0), np.float32), of_kinds)


def _balance(kinds: npt.NDArray[np.int32]) -> Floats:
    """Weights of photos [P]: a kind of which there are many counts for more than one of few, but not so much more."""
    counts = np.bincount(kinds[kinds >= 0], minlength=1)
    return np.where(kinds >= 0, (counts.mean() / np.maximum(counts, 1)[kinds]) ** _BALANCE, 0).astype(np.float32)


def _score_tags(shown: Tensor, logits: Tensor) -> Tensor:
    """Cross-entropy [P] of what is known, in nats, summed over tags."""
    known = ops.cast(shown != UNKNOWN, logits.dtype)
    losses = ops.relu(logits) - logits * shown + ops.softplus(-ops.abs(logits))
    return ops.sum(losses * known, axis=-1)


def _read(layer: keras.layers.Dense) -> Floats:
    kernel, bias = layer.get_weights()
    return np.concatenate([kernel * _SCALE, bias[None]])


def judge_unseen(
    pooled: Sequence[Floats], targets: Targets, of_kinds: Floats, config: TagsConfig, seed: int
) -> list[Floats]:
    """Evidence [P, G] for each view of P photos, `pooled` [P, C] of each, out of taggers that did not learn from it."""
    fold = np.random.default_rng(seed).integers(config.folds, size=len(pooled[0]))
    found = [np.zeros_like(targets.tags) for _ in pooled]
    for number in range(config.folds):
        seen, unseen = fold != number, fold == number
        learnt = targets[seen].repeat(len(pooled))
        tagger = fit_tagger(np.concatenate([view[seen] for view in pooled]), learnt, of_kinds, config, seed)
        for view, evidence in zip(pooled, found, strict=True):
            evidence[unseen] = tagger.judge(view[unseen])
    return found
