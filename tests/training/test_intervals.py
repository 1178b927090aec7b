"""Bootstrap intervals hold the scores of the metrics in the middle, and get narrower with more photos."""

import numpy as np
import pytest

from training.evaluation.intervals import METRICS, bootstrap, bootstrap_difference
from training.evaluation.metrics import CONTENT_WORDS, PhotoScores, score_captions, score_photos

REFERENCES = {
    "one": ("a dog runs on the green grass", "the brown dog runs over grass"),
    "two": ("two men play football on a field", "men in red play football"),
    "three": ("a woman sits on a bench", "a woman in a red coat sits on a wooden bench in a park"),
}
CANDIDATES = {
    "two": "two men in red play football",
    "one": "a brown dog runs on the snow",
    "three": "a woman in a red coat sits on a bench",
}


@pytest.fixture(scope="module")
def scores() -> PhotoScores:
    return score_photos(REFERENCES, CANDIDATES)


def _repeat(scores: PhotoScores, times: int) -> PhotoScores:
    return PhotoScores(*(np.concatenate([getattr(scores, name)] * times) for name in scores.__slots__))


def test_the_value_of_an_interval_is_that_of_the_metrics(scores: PhotoScores) -> None:
    expected, intervals = score_captions(REFERENCES, CANDIDATES), bootstrap(scores)

    for metric in ("BLEU-4", "ROUGE-L", "CIDEr", CONTENT_WORDS):
        assert intervals[metric].value == pytest.approx(expected[metric], abs=0.01)


def test_that_of_meteor_is_the_mean_over_photos(scores: PhotoScores) -> None:
    """Of a split METEOR counts all words at once, which is nearly the same."""
    alone = [score_captions({photo: REFERENCES[photo]}, {photo: CANDIDATES[photo]}) for photo in CANDIDATES]
    value = bootstrap(scores)["METEOR"].value

    assert value == pytest.approx(np.mean([score["METEOR"] for score in alone]), abs=0.01)
    assert value == pytest.approx(score_captions(REFERENCES, CANDIDATES)["METEOR"], abs=1)


def test_photos_keep_the_order_in_which_they_were_captioned(scores: PhotoScores) -> None:
    alone = score_photos({"three": REFERENCES["three"]}, {"three": CANDIDATES["three"]})

    assert scores.rouge[2] == pytest.approx(alone.rouge[0])
    assert scores.lengths.tolist() == [6, 7, 10]


def test_intervals_get_narrower_with_more_photos(scores: PhotoScores) -> None:
    few, many = bootstrap(_repeat(scores, 3)), bootstrap(_repeat(scores, 48))

    for metric in METRICS:
        assert few[metric].low < few[metric].value < few[metric].high
        assert many[metric].high - many[metric].low < (few[metric].high - few[metric].low) / 2


def test_the_difference_of_a_bundle_to_itself_is_nothing_with_certainty(scores: PhotoScores) -> None:
    for interval in bootstrap_difference(scores, scores).values():
        assert (interval.value, interval.low, interval.high) == (0, 0, 0)


def test_a_better_bundle_is_better_whichever_photos_are_drawn(scores: PhotoScores) -> None:
    worse = score_photos(REFERENCES, dict.fromkeys(CANDIDATES, "a red dog"))

    for metric in ("METEOR", "ROUGE-L", "CIDEr"):
        assert bootstrap_difference(scores, worse)[metric].low > 0
