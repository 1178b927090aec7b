"""Puts the model's confidence, the chance that its sentence is about as good as a person's, into plain words."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

SURE_FROM = 0.5
UNSURE_BELOW = 0.25


@dataclass(frozen=True, slots=True)
class Certainty:
    """`level` styles it, `label` says it, `warning` is empty unless the caption needs a second look."""

    level: Literal["sure", "fair", "unsure"]
    label: str
    warning: str
    percent: int


def rate_in_order(confidence: float, others: Iterable[float]) -> list[int]:
    """Percents for the runners-up of a sentence with `confidence`, in their order.

    The search ranks sentences by a measure that is a little kinder to long ones than the confidence is, so that a
    runner-up may have the higher confidence. A person who reads a list takes its order for the verdict: none is shown
    as surer than what stands before it.
    """
    return [round(share * 100) for share in accumulate(others, min, initial=confidence)][1:]


def describe(confidence: float) -> Certainty:
    """Words for a confidence in [0, 1]."""
    percent = round(confidence * 100)
    if confidence >= SURE_FROM:
        return Certainty("sure", "Probably right", "", percent)
    if confidence >= UNSURE_BELOW:
        return Certainty("fair", "Possibly right", "", percent)
    return Certainty("unsure", "Unsure", "This may well be wrong. Look at the photo before you use it.", percent)
