"""How sure the model is of a sentence, as a number between 0 and 1."""

import math

from photocaption.model.beam_search import Hypothesis
from photocaption.model.manifest import Calibration
from photocaption.model.sigmoid import sigmoid


def compute_confidence(hypothesis: Hypothesis, calibration: Calibration | None) -> float:
    """Confidence from the mean log-probability of the tokens, the end counted, and the evidence for the words:
    calibrated where the bundle is.
    """
    mean = hypothesis.log_probability / len(hypothesis.log_probabilities)
    return calibrate(mean, calibration, evidence=hypothesis.evidence, strongest=hypothesis.strongest)


def calibrate(mean: float, calibration: Calibration | None, *, evidence: float = 0.0, strongest: float = 0.0) -> float:
    """Confidence from the mean log-probability of a sentence's tokens, and the mean and the highest log-odds of its
    words.
    """
    if calibration is None:
        return math.exp(min(mean, 0.0))
    of_words = calibration.evidence * evidence + calibration.strongest * strongest
    return sigmoid(calibration.intercept + calibration.slope * mean + of_words)
