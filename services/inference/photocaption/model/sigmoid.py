"""The logistic function, for single numbers."""

import math


def sigmoid(x: float) -> float:
    """1 / (1 + exp(-x)), without overflow for any x."""
    return 0.5 * (1 + math.tanh(x / 2))
