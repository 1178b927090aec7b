"""Fits the tagger: a linear layer on pooled features that predicts the words of captions; the evidence from classes for
their names is added.

Shapes: P photos, or views of them, C channels, G tags, K classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from photocaption.model.runtime import Floats
from training.arrays import Arrays
from training.config import TagsConfig
from training.data.tags import Targets
from training.fit.classes import Classes
from training.models.evidence import Evidence, score_tags

_BATCH = 256
_SCALE = 40.0  # pooled features have unit length: so large, a step moves logits as far as it does those of other layers


@dataclass(frozen=True, slots=True)
class Tagger:
    """A linear layer `tags` [C + 1, G], the bias in the last row, and the class layer."""

    tags: Floats
    classes: Classes | None = None

    @classmethod
    def of(cls, decoder: Arrays) -> "Tagger":
        """The tagger of a decoder, whose weights are given by the last two parts of their path."""
        tags = _join(decoder["tagger/kernel"], decoder["tagger/bias"])
        if "classes/kernel" not in decoder:
            return cls(tags)
        weights = _join(decoder["classes/kernel"], decoder["classes/bias"])
        names = decoder["evidence/names"]
        subjects = decoder.get("evidence/subjects", np.zeros(names.shape[1], np.float32))
        return cls(tags, Classes(weights, names, subjects))

    def predict(self, pooled: Floats) -> Floats:
        """Evidence [P, G] of pooled features [P, C], as `Evidence.predict_tags` gives it."""
        evidence: Floats = pooled @ self.tags[:-1] + self.tags[-1]
        return self.classes.add_to(evidence, pooled) if self.classes else evidence

    def put_into(self, evidence: Evidence) -> None:
        """Set the weights of a decoder's tagger."""
        evidence.tagger.set_weights([self.tags[:-1], self.tags[-1]])
        if evidence.classes is not None and self.classes:
            evidence.classes.set_weights([self.classes.weights[:-1], self.classes.weights[-1]])
            evidence.write_names(self.classes.names, self.classes.subjects)


def fit_tagger(pooled: Floats, shown: Targets, config: TagsConfig, seed: int, classes: Classes | None = None) -> Tagger:
    """The tagger that is fitted to pooled features [P, C] and the targets of their photos [P, G]."""
    keras.utils.set_random_seed(seed)
    layer = keras.layers.Dense(shown.shape[1])
    inputs = [keras.Input((pooled.shape[1],)), keras.Input((shown.shape[1],))]
    values = [pooled * np.float32(_SCALE), classes.credit(pooled) if classes else np.zeros_like(shown)]
    model = keras.Model(inputs, layer(inputs[0]) + inputs[1])
    batches = max(1, len(pooled) // _BATCH)
    rate = keras.optimizers.schedules.CosineDecay(config.learning_rate, config.epochs * batches)
    model.compile(keras.optimizers.AdamW(rate, weight_decay=config.weight_decay), score_tags)
    random = np.random.default_rng(seed)
    for _ in range(config.epochs):
        for rows in random.permutation(len(pooled))[: batches * _BATCH].reshape(batches, -1):
            model.train_on_batch([value[rows] for value in values], shown[rows])
    kernel, bias = layer.get_weights()
    return Tagger(_join(kernel * _SCALE, bias), classes)


def _join(kernel: Any, bias: Any) -> Floats:  # noqa: ANN401 - arrays of NumPy or Keras
    return np.concatenate([kernel, bias[None]]).astype(np.float32)


def predict_out_of_fold(
    pooled: Sequence[Floats], shown: Targets, config: TagsConfig, seed: int, classes: Classes | None = None
) -> list[Floats]:
    """Out-of-fold evidence [P, G] for each view of P photos, given as pooled features [P, C]."""
    fold = np.random.default_rng(seed).integers(config.folds, size=len(pooled[0]))
    found = [np.zeros_like(shown) for _ in pooled]
    for number in range(config.folds):
        fitted, held_out = fold != number, fold == number
        targets = np.concatenate([shown[fitted]] * len(pooled))
        tagger = fit_tagger(np.concatenate([view[fitted] for view in pooled]), targets, config, seed, classes)
        for view, evidence in zip(pooled, found, strict=True):
            evidence[held_out] = tagger.predict(view[held_out])
    return found
