"""Puts the model's confidence into words that a person can act on."""

from dataclasses import dataclass
from typing import Literal

SURE_FROM = 0.6
UNSURE_BELOW = 0.35


@dataclass(frozen=True, slots=True)
class Certainty:
    """`level` styles it, `label` says it, `warning` is empty unless the caption needs a second look."""

    level: Literal["sure", "fair", "unsure"]
    label: str
    warning: str
    percent: int


def describe(confidence: float) -> Certainty:
    """Words for a confidence in [0, 1]."""
    percent = round(confidence * 100)
    if confidence >= SURE_FROM:
        return Certainty("sure", "Quite sure", "", percent)
    if confidence >= UNSURE_BELOW:
        return Certainty("fair", "Fairly sure", "", percent)
    return Certainty("unsure", "Unsure", "This may well be wrong. Look at the photo before you use it.", percent)
