"""Fits the calibration of `confidence`: the probability that a caption is about as good as a person's (Platt 1999).

A caption of the dev split counts as good when its CIDEr reaches `GOOD_CIDER`, or when it names the subject of a
labelled photo. The features of the logistic regression are the mean log-probability of the caption's tokens and, where
the decoder has a tagger, the highest evidence for one of its words.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from photocaption.model.manifest import Calibration

GOOD_CIDER = 60.0
"""Per-photo CIDEr × 100: a little below the median (63 and 70 for the first two) of a person's caption on Flickr8k's
dev split against the other four."""

_BINS = 10
_ROUNDS = 50
_RIDGE = 1e-3


def fit_calibration(
    mean_log_probabilities: Sequence[float], strongest: Sequence[float], good: Sequence[bool]
) -> Calibration | None:
    """Weights by Newton's method; None when all captions are good or none is.

    `strongest`: the highest log-odds that a tagger gives to a word of each caption, all 0 where the decoder has none;
    it predicts good captions better than their mean does.
    """
    targets = np.array(good, bool)
    if targets.all() or not targets.any():
        return None
    columns = [np.ones(len(targets)), np.array(mean_log_probabilities)]
    if np.any(strongest):
        columns.append(np.array(strongest))
    intercept, slope, *others = _fit_logistic(np.stack(columns, axis=1), targets)
    return Calibration(slope=slope, intercept=intercept, strongest=others[0] if others else 0.0)


def _fit_logistic(inputs: npt.NDArray[np.float64], targets: npt.NDArray[np.bool_]) -> list[float]:
    """The weight of each column of `inputs` [captions, columns]."""
    weights = np.zeros(inputs.shape[1])
    for _ in range(_ROUNDS):
        chance = 1 / (1 + np.exp(-np.clip(inputs @ weights, -30, 30)))
        gradient = inputs.T @ (targets - chance) - _RIDGE * weights
        curvature = (inputs * (chance * (1 - chance))[:, None]).T @ inputs + _RIDGE * np.eye(inputs.shape[1])
        weights += np.linalg.solve(curvature, gradient)
    return [float(weight) for weight in weights]


@dataclass(frozen=True, slots=True)
class Bin:
    """Captions of about the same confidence: how many, the mean of it, the share of them that is good, and their mean
    CIDEr × 100.
    """

    captions: int
    confidence: float
    good: float
    cider: float


def bin_by_confidence(confidences: Sequence[float], ciders: Sequence[float]) -> list[Bin]:
    """Deciles of captions by confidence, the lowest first: the reliability curve."""
    stated, scores = np.array(confidences), np.array(ciders)
    good = scores >= GOOD_CIDER
    return [
        Bin(len(part), float(stated[part].mean()), float(good[part].mean()), float(scores[part].mean()))
        for part in np.array_split(np.argsort(stated, kind="stable"), _BINS)
        if len(part)
    ]
