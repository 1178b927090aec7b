"""Every failure has its own sentence, and confidence reads as words."""

import pytest

from frontend.inference.contract import Problem
from frontend.inference.errors import (
    BusyError,
    DeadlineError,
    InferenceError,
    InvalidAnswerError,
    RefusedError,
    UnreachableError,
)
from frontend.presentation.confidence_label import label_confidence
from frontend.presentation.failures import explain, format_megabytes


def refused(status: int, detail: str = "", retry_after: float | None = None) -> RefusedError:
    return RefusedError(Problem(status=status, detail=detail), retry_after)


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (UnreachableError(1.2), 503, 2),
        (BusyError(), 429, 2),
        (DeadlineError(), 504, 5),
        (InvalidAnswerError(), 502, None),
        (refused(400), 502, None),
        (refused(401), 502, None),
        (refused(413), 413, None),
        (refused(415), 415, None),
        (refused(422), 422, None),
        (refused(429, retry_after=9), 429, 9),
        (refused(500), 502, None),
        (refused(503), 503, 3),
        (refused(504), 504, 5),
    ],
)
def test_each_failure_has_its_status_and_says_when_to_try_again(
    error: InferenceError, status: int, retry_after: int | None
) -> None:
    failure = explain(error, max_bytes=10 * 2**20)

    assert (failure.status, failure.retry_after) == (status, retry_after)
    assert failure.headline.endswith(".")
    assert failure.advice.endswith(".")


def test_different_causes_have_different_sentences() -> None:
    errors = [
        UnreachableError(1),
        BusyError(),
        DeadlineError(),
        InvalidAnswerError(),
        *map(refused, (401, 413, 415, 422, 503)),
    ]

    headlines = [explain(error, max_bytes=2**20).headline for error in errors]

    assert len(set(headlines)) == len(errors)


def test_the_reason_of_a_photo_that_cannot_be_opened_is_passed_on() -> None:
    failure = explain(refused(422, "The photo is truncated."), max_bytes=2**20)

    assert "The photo is truncated." in failure.advice


def test_a_photo_with_too_many_pixels_is_not_called_damaged() -> None:
    too_many = Problem(type="urn:image-captions:problem:image-too-large", status=422, detail="It has 90 megapixels.")

    failure = explain(RefusedError(too_many, None), max_bytes=2**20)

    assert failure.headline == "This photo has too many pixels."
    assert failure.advice == "It has 90 megapixels. Save a smaller copy and try that one."


@pytest.mark.parametrize("error", [UnreachableError(1), BusyError(), DeadlineError(), refused(503)])
def test_whoever_has_to_wait_is_asked_to_try_again_for_without_scripts_nobody_else_does(error: InferenceError) -> None:
    advice = explain(error, max_bytes=2**20).advice.lower()

    assert "try again" in advice or "try it again" in advice


def test_a_photo_too_large_is_told_the_limit() -> None:
    assert format_megabytes(10 * 2**20) in explain(refused(413), max_bytes=10 * 2**20).advice


@pytest.mark.parametrize(
    ("photo", "advice"),
    [
        (b"\0\0\0\x18ftypheic", "It looks like HEIC"),
        (b"\0\0\0\x18ftypavif", "It looks like AVIF"),
        (b"\0\0\0\x18ftypisom", "It looks like a video"),
        (b"%PDF-1.7", "It looks like a PDF"),
        (b"<?xml version='1.0'?><svg>", "It looks like an SVG drawing"),
        (b"PK\x03\x04", "It looks like an archive"),
        ("Grüße".encode(), "It looks like text"),
        (b"\x7fELF", "A photo as JPEG"),
        (b"", "A photo as JPEG"),
    ],
)
def test_what_is_no_photo_is_told_what_it_looks_like_and_not_to_try_again(photo: bytes, advice: str) -> None:
    failure = explain(refused(415), max_bytes=2**20, photo=photo)

    assert failure.advice.startswith(advice)
    assert not failure.retriable
    assert failure.as_problem()["retriable"] is False


@pytest.mark.parametrize(
    ("confidence", "level", "percent"),
    [
        (1.0, "sure", 100),
        (0.67, "sure", 67),
        (0.66, "fair", 66),
        (0.5, "fair", 50),
        (0.25, "fair", 25),
        (0.24, "unsure", 24),
        (0, "unsure", 0),
    ],
)
def test_confidence_reads_as_words(confidence: float, level: str, percent: int) -> None:
    certainty = label_confidence(confidence)

    assert certainty.label == {"sure": "Probably right", "fair": "Possibly right", "unsure": "Unsure"}[level]
    assert (certainty.level, certainty.percent) == (level, percent)
    assert ("what the model does not know" in certainty.warning) == (level == "unsure")
