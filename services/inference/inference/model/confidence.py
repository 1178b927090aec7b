"""How sure the model is of a sentence, as a number between 0 and 1."""

import math

from inference.model.beam_search import Hypothesis
from inference.model.manifest import Calibration


def rate(hypothesis: Hypothesis, calibration: Calibration | None) -> float:
    """Confidence from the mean log-probability of the tokens, the end counted: calibrated where the bundle is."""
    return calibrate(hypothesis.log_probability / len(hypothesis.log_probabilities), calibration)


def calibrate(mean: float, calibration: Calibration | None) -> float:
    """Confidence from the mean log-probability of a sentence's tokens."""
    if calibration is None:
        return math.exp(min(mean, 0.0))
    return _sigmoid(calibration.intercept + calibration.slope * mean)


def _sigmoid(x: float) -> float:
    """Without overflow for any x."""
    return 0.5 * (1 + math.tanh(x / 2))
