"""Confidence lies in [0, 1] and rises with the likelihood of a sentence, whatever its scale."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photocaption.model.beam_search import Hypothesis
from photocaption.model.confidence import compute_confidence
from photocaption.model.manifest import Calibration

log_probabilities = st.lists(st.floats(-1e4, 0), min_size=2, max_size=20)
calibrations = st.none() | st.builds(Calibration, slope=st.floats(0, 1e6), intercept=st.floats(-1e6, 1e6))


def hypothesis_of(*values: float, evidence: float = 0.0, strongest: float = 0.0) -> Hypothesis:
    return Hypothesis(
        tuple(range(len(values) - 1)), values, math.fsum(values), score=0.0, evidence=evidence, strongest=strongest
    )


@given(values=log_probabilities, calibration=calibrations)
def test_it_is_a_probability(values: list[float], calibration: Calibration | None) -> None:
    assert 0 <= compute_confidence(hypothesis_of(*values), calibration) <= 1


@given(values=log_probabilities, calibration=calibrations)
def test_it_does_not_fall_when_a_word_gets_likelier(values: list[float], calibration: Calibration | None) -> None:
    likelier = [values[0] / 2, *values[1:]]

    assert compute_confidence(hypothesis_of(*likelier), calibration) >= compute_confidence(
        hypothesis_of(*values), calibration
    )


def test_without_calibration_it_is_the_geometric_mean_of_the_probabilities() -> None:
    assert compute_confidence(hypothesis_of(math.log(0.5), math.log(0.125)), None) == pytest.approx(0.25)


def test_calibration_is_logistic_in_the_mean_log_probability() -> None:
    assert compute_confidence(hypothesis_of(-1.0, -3.0), Calibration(slope=2.0, intercept=4.0)) == pytest.approx(0.5)
    assert compute_confidence(hypothesis_of(-1.0, -2.0), Calibration(slope=2.0, intercept=4.0)) == pytest.approx(
        1 / (1 + math.exp(-1))
    )


@pytest.mark.parametrize("name", ["evidence", "strongest"])
def test_a_fluent_sentence_about_what_the_photo_does_not_show_is_not_trusted(name: str) -> None:
    calibration = Calibration(slope=2.0, intercept=4.0, **{name: 0.5})

    assert compute_confidence(hypothesis_of(-1.0, -3.0, **{name: -2.0}), calibration) == pytest.approx(
        1 / (1 + math.exp(1))
    )
    assert compute_confidence(hypothesis_of(-1.0, -3.0, **{name: 2.0}), calibration) == pytest.approx(
        1 / (1 + math.exp(-1))
    )
