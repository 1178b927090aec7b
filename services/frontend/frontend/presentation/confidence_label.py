"""Puts the model's confidence, the chance that its sentence is about as good as a person's, into plain words."""

from dataclasses import dataclass
from typing import Literal

# What holds in two of three cases or more is called probable (Mastrandrea et al. 2010, the IPCC's guidance note on
# uncertainties). Where the page warns, programs that show no confidence get a hedged sentence: `CAPTION_UNSURE_BELOW`.
SURE_FROM = 2 / 3
UNSURE_BELOW = 0.25
_DOUBT = "This may well be wrong: perhaps the photo shows what the model does not know. Look before you use it."


@dataclass(frozen=True, slots=True)
class ConfidenceLabel:
    """`level` styles it, `label` says it, `warning` is empty unless the caption needs a second look."""

    level: Literal["sure", "fair", "unsure"]
    label: str
    warning: str
    percent: int


def label_confidence(confidence: float) -> ConfidenceLabel:
    """The label for a confidence in [0, 1], by the thresholds above."""
    percent = round(confidence * 100)
    if confidence >= SURE_FROM:
        return ConfidenceLabel("sure", "Probably right", "", percent)
    if confidence >= UNSURE_BELOW:
        return ConfidenceLabel("fair", "Possibly right", "", percent)
    return ConfidenceLabel("unsure", "Unsure", _DOUBT, percent)
