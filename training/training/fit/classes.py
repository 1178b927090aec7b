"""The tagger's class layer: a linear layer on pooled features, distilled from an ImageNet classifier.

ImageNet's encoder comes without its classification layer. Another classifier is the teacher (Hinton et al. 2015): the
layer is fitted to its logits on all training photos by least squares, also for classes that no training photo shows.
Labels then determine the temperature.

Shapes: P photos, or views of them, C channels, K classes, G tags.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from keras import ops

from photocaption.model.runtime import Floats
from training.data.tags import UNKNOWN, Targets
from training.models.evidence import add_classes, credit_names

_SCALE = 40.0  # of pooled features, whose length is one
_RIDGE = 100.0
_TEMPERATURES = np.arange(1.0, 6.1, 0.25)


@dataclass(frozen=True, slots=True)
class Classes:
    """A linear layer, `weights` [C + 1, K], the bias in the last row; `names` [K, G]: 1 where a tag names a class;
    `subjects` [G]: 1 for tags that are at least as likely as their classes (`choose_subjects`).
    """

    weights: Floats
    names: Floats
    subjects: Floats

    def credit(self, pooled: Floats) -> Floats:
        """What the classes of photos with pooled features [P, C] add to the evidence for tags: [P, G]."""
        credit: Floats = ops.convert_to_numpy(credit_names(self._score(pooled), self.names))
        return credit

    def add_to(self, evidence: Floats, pooled: Floats) -> Floats:
        """Evidence [P, G] of a tagger together with that of the classes of photos with pooled features [P, C]."""
        added: Floats = ops.convert_to_numpy(add_classes(evidence, self._score(pooled), self.names, self.subjects))
        return added

    def _score(self, pooled: Floats) -> Floats:
        logits: Floats = pooled @ self.weights[:-1] + self.weights[-1]
        return logits


def choose_subjects(logits: Floats, names: Floats, shown: Targets, named: npt.NDArray[np.bool_]) -> Floats:
    """The tags that are to be at least as likely as their classes, 1 in [G]: those `named` that are mostly right.

    A tag is right in those of P photos that show it, `shown` [P, G]. Each counts by the square of the probability of
    the tag's classes, so that many small ones do not outweigh a large one. `logits` [P, K] of classes; `names` [K, G].
    """
    probabilities = ops.convert_to_numpy(ops.softmax(logits, axis=-1))
    weights = np.where(shown == UNKNOWN, 0, (probabilities @ (names > 0)) ** 2)
    right = (weights * (shown > 0)).sum(axis=0)
    subjects: Floats = (named & (2 * right > weights.sum(axis=0))).astype(np.float32)
    return subjects


def distil_classes(
    views: Sequence[Floats], teacher_logits: Floats, labels: npt.NDArray[np.intp], kinds: npt.NDArray[np.intp]
) -> Floats:
    """The layer [C + 1, K] with the least squared distance to a teacher's logits [P, K] on each view [P, C] of P
    photos.

    Its temperature has the least cross-entropy of the kinds of subjects, `kinds` [K] of classes, on the labelled
    photos: `labels` [P] are classes, -1 for other photos.
    """
    inputs = [np.pad(pooled * _SCALE, ((0, 0), (0, 1)), constant_values=1) for pooled in views]
    wanted = teacher_logits - teacher_logits.mean(axis=1, keepdims=True)
    squares = _RIDGE * np.eye(inputs[0].shape[1]) + sum(one.T @ one for one in inputs)
    products = sum(one.T @ wanted for one in inputs)
    weights = np.linalg.solve(squares, products).astype(np.float32)
    labelled = labels >= 0
    logits, right = inputs[0][labelled] @ weights, kinds[labels[labelled], None] == kinds
    losses = [_score(logits * temperature, right) for temperature in _TEMPERATURES]
    weights *= np.float32(_TEMPERATURES[int(np.argmin(losses))])
    weights[:-1] *= _SCALE
    return weights


def _score(logits: Floats, right: npt.NDArray[np.bool_]) -> float:
    """Mean cross-entropy, in nats, of having one of the right classes [P, K]."""
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return float(-np.log((shares * right).sum(axis=1) / shares.sum(axis=1)).mean())
