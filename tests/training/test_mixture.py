"""Several datasets are one training split: each has its share of every batch, and its photos all have their turn."""

from collections import Counter

import numpy as np

from training.data.mixture import Mixture

RANDOM = np.random.default_rng(1)


def test_each_photo_of_a_dataset_comes_as_often_as_its_others_and_each_dataset_by_its_share() -> None:
    mixture = Mixture([10, 40, 3], [0.2, 0.5, 0.3], 25, least_batches=4)

    places = Counter(mixture.draw(RANDOM).tolist())

    assert (mixture.size, mixture.batches) == (25, 4)
    parts = [[places[place] for place in range(*part)] for part in ((0, 10), (10, 50), (50, 53))]
    assert [sum(part) for part in parts] == [20, 50, 30]
    assert parts[0] == [2] * 10
    assert sorted(parts[1]) == [1] * 30 + [2] * 10
    assert parts[2] == [10] * 3


def test_shares_are_exact_whatever_binary_fractions_make_of_them() -> None:
    places = Mixture([1000, 1000], [0.29, 0.71], 100).draw(RANDOM)

    assert (places < 1000).sum() == 0.29 * len(places)


def test_without_shares_an_epoch_is_every_photo_once() -> None:
    mixture = Mixture([3, 5], [None, None], 4)

    assert sorted(mixture.draw(RANDOM)) == list(range(8))
    assert mixture.batches == 2


def test_few_photos_are_gone_over_more_often_in_batches_that_they_fill() -> None:
    mixture = Mixture([3, 2], None, 32, least_batches=6)

    assert (mixture.size, mixture.batches) == (5, 6)
    assert Counter(mixture.draw(RANDOM).tolist()) == dict.fromkeys(range(5), 6)


def test_the_share_of_a_dataset_without_photos_goes_to_the_others() -> None:
    places = Mixture([4, 0, 2], [0.3, 0.5, 0.2], 10, least_batches=5).draw(RANDOM)

    assert len(places) == 30
    assert Counter((places < 4).tolist()) == {True: 18, False: 12}
