"""Fits what `confidence` means: the chance that a caption is about as good as a person's.

A caption of the dev split counts as good when its CIDEr reaches `GOOD_CIDER`; logistic regression on the mean
log-probability of its tokens then says how often captions of that certainty are good (Platt 1999).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inference.model.manifest import Calibration

GOOD_CIDER = 60.0
"""Per-photo CIDEr × 100: a little below the median (63 and 70 for the first two) of a person's caption on Flickr8k's
dev split against the other four."""

_BINS = 10
_ROUNDS = 50
_RIDGE = 1e-3


def fit_calibration(mean_log_probabilities: Sequence[float], ciders: Sequence[float]) -> Calibration | None:
    """Slope and intercept by Newton's method; None when all captions are good or none is, which says nothing."""
    good = np.array(ciders) >= GOOD_CIDER
    if good.all() or not good.any():
        return None
    inputs = np.stack([np.ones(len(good)), np.array(mean_log_probabilities)], axis=1)
    weights = np.zeros(2)
    for _ in range(_ROUNDS):
        chance = 1 / (1 + np.exp(-np.clip(inputs @ weights, -30, 30)))
        gradient = inputs.T @ (good - chance) - _RIDGE * weights
        curvature = (inputs * (chance * (1 - chance))[:, None]).T @ inputs + _RIDGE * np.eye(2)
        weights += np.linalg.solve(curvature, gradient)
    return Calibration(slope=float(weights[1]), intercept=float(weights[0]))


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
    """Ten equal parts of some captions, the least confident first: the reliability curve."""
    stated, scores = np.array(confidences), np.array(ciders)
    good = scores >= GOOD_CIDER
    return [
        Bin(len(part), float(stated[part].mean()), float(good[part].mean()), float(scores[part].mean()))
        for part in np.array_split(np.argsort(stated, kind="stable"), _BINS)
        if len(part)
    ]
