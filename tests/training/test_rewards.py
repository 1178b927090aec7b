"""The reward is CIDEr-D as the metrics compute it, and BLEU beside it; an open end costs."""

import numpy as np
import pytest
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

from training.evaluation.metrics import score_cider
from training.fit.reward_pool import RewardPool, Written
from training.fit.rewards import SentenceReward

REFERENCES = [
    ["a dog runs on the grass", "the brown dog runs", "a dog plays in a green field"],
    ["two men play football", "men in red play football on grass", "a football match"],
    ["a woman sits on a bench", "a woman in a red coat on a bench in a park"],
    ["a dog swims", "a black dog in the water"],
]
CANDIDATES = ["a dog runs in the grass", "two men in red play", "a bench", "a dog a dog a dog in the water water"]


def _reward(bleu_weight: float) -> SentenceReward:
    return SentenceReward([[caption.split() for caption in captions] for captions in REFERENCES], bleu_weight)


def test_cider_is_that_of_the_metrics_with_the_end_as_a_word() -> None:
    photos = [str(place) for place in range(len(REFERENCES))]
    references = {
        photo: [f"{caption} <end>" for caption in captions] for photo, captions in zip(photos, REFERENCES, strict=True)
    }
    candidates = {photo: [f"{caption} <end>"] for photo, caption in zip(photos, CANDIDATES, strict=True)}
    _, expected = score_cider(references, candidates)

    reward = _reward(0)
    given = [100 * reward(place, caption.split(), ended=True) for place, caption in enumerate(CANDIDATES)]

    np.testing.assert_allclose(given, expected, rtol=1e-6)


@pytest.mark.parametrize("place", range(len(REFERENCES)))
def test_bleu_is_nltks_with_one_added_above_single_words(place: int) -> None:
    words = CANDIDATES[place].split()
    references = [[*caption.split(), "<end>"] for caption in REFERENCES[place]]
    expected = sentence_bleu(references, [*words, "<end>"], smoothing_function=SmoothingFunction().method2)

    given = _reward(1)(place, words, ended=True) - _reward(0)(place, words, ended=True)

    assert given == pytest.approx(expected, rel=1e-6)


def test_the_same_words_are_worth_less_without_an_end() -> None:
    reward, words = _reward(0.5), ["the", "brown", "dog", "runs"]

    assert reward(0, words, ended=True) > reward(0, words, ended=False) + 0.1


def test_a_caption_is_worth_more_for_its_own_photo_than_for_another() -> None:
    reward, words = _reward(0.5), ["two", "men", "play", "football"]

    assert reward(1, words, ended=True) > 10 * reward(2, words, ended=True)


@pytest.mark.parametrize("words", [[], ["nothing"], ["a"], ["dog"] * 20])
def test_odd_captions_have_a_finite_reward(words: list[str]) -> None:
    for ended in (True, False):
        assert 0 <= _reward(0.5)(0, words, ended=ended) < 5


def test_a_pool_gives_the_rewards_that_this_process_would() -> None:
    photos = [2, 0, 3]
    captions = [[Written(caption.split(), ended) for caption in CANDIDATES for ended in (True, False)]] * len(photos)
    reward = _reward(0.5)

    with RewardPool([[caption.split() for caption in of_photo] for of_photo in REFERENCES], 0.5) as pool:
        given = pool.submit(photos, captions)()

    expected = [
        [reward(photo, one.words, ended=one.ended) for one in of_photo]
        for photo, of_photo in zip(photos, captions, strict=True)
    ]
    np.testing.assert_allclose(given, expected, rtol=1e-6)
