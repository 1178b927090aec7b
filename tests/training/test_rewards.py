"""The reward is CIDEr-D as the metrics compute it, and BLEU beside it; an open end costs, and what nobody would write;
to name what a label says is rewarded.
"""

import numpy as np
import pytest
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

from training.config import RewardConfig
from training.evaluation.metrics import score_cider
from training.fit.reward_pool import RewardPool, SampledCaption
from training.fit.rewards import References, SentenceReward

REFERENCES = [
    ["a dog runs on the grass", "the brown dog runs", "a dog plays in a green field"],
    ["two men play football", "men in red play football on grass", "a football match"],
    ["a woman sits on a bench", "a woman in a red coat on a bench in a park"],
    ["a dog swims", "a black dog in the water"],
]
CANDIDATES = ["a dog runs in the grass", "two men in red play", "a bench", "a dog a dog a dog in the water water"]


NOTHING = dict.fromkeys(("bleu", "right", "wrong", "naming", "found", "short", "rare", "repeated"), 0.0)


def _config(**weights: float) -> RewardConfig:
    """Rewards CIDEr and, with these weights, what is named."""
    return RewardConfig.model_validate(NOTHING | weights)


def _judged(accepted: frozenset[str] = frozenset()) -> list[References]:
    """The photos; those from the third on with a label that these words name."""
    references = [[caption.split() for caption in captions] for captions in REFERENCES]
    return [References(of_photo, accepted if place > 1 else frozenset()) for place, of_photo in enumerate(references)]


def _reward(bleu_weight: float) -> SentenceReward:
    return SentenceReward(_judged(), _config(bleu=bleu_weight))


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
    captions = [[SampledCaption(caption.split(), ended) for caption in CANDIDATES for ended in (True, False)]] * len(
        photos
    )
    reward = _reward(0.5)

    with RewardPool(_judged(), _config(bleu=0.5)) as pool:
        given = pool.submit(photos, captions)()

    expected = [
        [reward(photo, one.words, ended=one.ended) for one in of_photo]
        for photo, of_photo in zip(photos, captions, strict=True)
    ]
    np.testing.assert_allclose(given, expected, rtol=1e-6)


def _gain(name: str, caption: str, place: int = 0, *, common: frozenset[str] = frozenset(), **others: float) -> float:
    """What a part of the reward with weight 1 adds to the rest of it, for a photo that "bench" or "park" names if it is
    the third.
    """
    accepted = frozenset({"bench", "park"})
    with_it, without = (
        SentenceReward(_judged(accepted), _config(**others, **{name: weight}), common) for weight in (1.0, 0.0)
    )
    return with_it(place, caption.split(), ended=True) - without(place, caption.split(), ended=True)


def test_content_words_count_by_whether_somebody_wrote_them_of_the_photo() -> None:
    assert _gain("right", "a brown dog in the water") == pytest.approx(2)
    assert _gain("right", "in the") == 0
    assert _gain("wrong", "in the") == 0


def test_a_word_that_nobody_wrote_costs_more_the_more_people_could_have() -> None:
    assert _gain("wrong", "a brown dog in the water") == pytest.approx(-3 / 5), "three captions of five"
    assert _gain("wrong", "a brown dog in the water", 1) == pytest.approx(-3 * 3 / 5)
    assert _gain("wrong", "a brown dog in the water", 2) == 0, "a label does not say what else is there"


def test_to_name_a_label_is_rewarded_once() -> None:
    assert _gain("naming", "a bench in a park", 2) == 1
    assert _gain("naming", "a woman sits", 2) == 0
    assert _gain("naming", "a bench in a park", 0) == 0, "a photo without a label names nothing"


def test_a_photo_with_a_label_is_rewarded_for_likeness_as_far_as_found_captions_count() -> None:
    likeness = _reward(0)(2, ["a", "woman", "sits", "on", "a", "bench"], ended=True)

    assert likeness > 1
    assert _gain("found", "a woman sits on a bench", 2) == pytest.approx(likeness)
    assert SentenceReward(_judged(frozenset({"cat"})), _config())(2, ["a", "woman"], ended=True) == 0


def test_a_short_caption_of_a_photo_with_a_label_costs_for_each_missing_word() -> None:
    assert _gain("short", "a bench", 2, least_words=5) == -3
    assert _gain("short", "a woman in red sits on a bench", 2, least_words=5) == 0
    assert _gain("short", "a dog", 0, least_words=5) == 0, "its own captions say how long it should be"


def test_sequences_that_nobody_writes_cost() -> None:
    common = frozenset({"a dog runs", "dog runs on"})

    assert _gain("rare", "a dog runs on", common=common) == 0
    assert _gain("rare", "a dog runs grass on", common=common) == -2
    assert _gain("rare", "a dog runs grass on") == 0, "without texts nothing is known of what people write"


def test_content_words_that_stand_there_again_cost() -> None:
    assert _gain("repeated", "a dog and a dog and a dog") == -2
    assert _gain("repeated", "the man in the hat in the rain") == 0
