"""Confidence is the share of captions, of that certainty, that are good."""

import math

import numpy as np
import pytest

from training.evaluation.calibration import bin_by_confidence, fit_calibration


def _confidence(slope: float, intercept: float, certainty: float) -> float:
    return 1 / (1 + math.exp(-(intercept + slope * certainty)))


def test_the_fit_recovers_how_often_captions_are_good() -> None:
    random = np.random.default_rng(0)
    certainties = random.uniform(-3, 0, 20_000)
    good = random.random(20_000) < 1 / (1 + np.exp(-(2 + 1.5 * certainties)))

    calibration = fit_calibration(certainties.tolist(), [0.0] * len(good), good.tolist())

    assert calibration is not None
    assert calibration.slope == pytest.approx(1.5, abs=0.1)
    assert calibration.intercept == pytest.approx(2, abs=0.1)


def test_the_mean_confidence_is_the_share_of_good_captions() -> None:
    certainties = [-2.0, -1.5, -1.0, -0.5, -0.2, -0.1]
    good = [False, False, True, False, True, True]

    calibration = fit_calibration(certainties, [0.0] * 6, good)

    assert calibration is not None
    mean = np.mean([_confidence(calibration.slope, calibration.intercept, certainty) for certainty in certainties])
    assert mean == pytest.approx(0.5, abs=0.01)


def test_evidence_for_the_words_counts_as_much_as_it_tells() -> None:
    random = np.random.default_rng(1)
    certainties, evidence = random.uniform(-3, 0, 20_000), random.normal(0, 2, 20_000)
    good = random.random(20_000) < 1 / (1 + np.exp(-(1 + certainties + 0.5 * evidence)))

    calibration = fit_calibration(certainties.tolist(), evidence.tolist(), good.tolist())

    assert calibration is not None
    assert (calibration.intercept, calibration.slope, calibration.strongest) == pytest.approx((1, 1, 0.5), abs=0.1)


def test_a_decoder_without_evidence_is_calibrated_without() -> None:
    calibration = fit_calibration([-2.0, -1.0, -0.5, -0.1], [0.0] * 4, [False, True, False, True])

    assert calibration is not None
    assert calibration.strongest == 0


@pytest.mark.parametrize("good", [False, True])
def test_nothing_is_fitted_when_all_captions_are_alike(good: bool) -> None:
    assert fit_calibration([-1.0, -2.0], [0.0, 0.0], [good, good]) is None


def test_captions_that_certainty_tells_apart_perfectly_still_give_finite_numbers() -> None:
    calibration = fit_calibration([-3.0, -2.0, -1.0, -0.5], [0.0] * 4, [False, False, True, True])

    assert calibration is not None
    assert math.isfinite(calibration.slope)
    assert calibration.slope > 0


def test_the_reliability_curve_is_of_equal_parts_from_the_least_confident_on() -> None:
    ciders = [0.0] * 10 + [100.0] * 10

    bins = bin_by_confidence([place / 20 for place in range(20)], ciders)

    assert [one.captions for one in bins] == [2] * 10
    assert [one.good for one in bins] == [0.0] * 5 + [1.0] * 5
    assert bins[0].confidence == pytest.approx(0.025)
    assert bins[9].cider == 100


def test_few_captions_have_fewer_parts() -> None:
    assert len(bin_by_confidence([0.5, 0.6], [0.0, 100.0])) == 2
