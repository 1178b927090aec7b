"""A tagger learns what photos show, thinks the same in a decoder, and judges no photo that it learnt from."""

import keras
import numpy as np
import pytest

from training.config import DecoderConfig, TagsConfig
from training.data.tags import UNKNOWN, Targets
from training.fit.tagger import Tagger, fit_tagger, judge_unseen
from training.models.decoder import Decoder, build_decoder
from training.models.evidence import Evidence

PHOTOS, CHANNELS = 200, 8
CONFIG = TagsConfig(epochs=60, weight_decay=0.0, learning_rate=0.05, folds=2)
NO_KINDS = np.zeros((0, 3), np.float32)
OF_KINDS = np.array([[0.4, 0, 0], [0, 0.4, 0]], np.float32)


def _pool(seed: int = 1, photos: int = PHOTOS) -> np.ndarray:
    """Vectors of unit length, as pooled features are."""
    values = np.random.default_rng(seed).random((photos, CHANNELS)).astype(np.float32)
    return np.asarray(values / np.linalg.norm(values, axis=1, keepdims=True))


def _show(pooled: np.ndarray) -> Targets:
    """What a linear layer can learn: tags and kinds by which of two channels is stronger."""
    tags = np.stack([pooled[:, place] > pooled[:, place + 1] for place in (0, 2, 4)], axis=1).astype(np.float32)
    return Targets(tags, (pooled[:, 0] <= pooled[:, 1]).astype(np.int32))


@pytest.fixture(scope="module")
def fitted() -> Tagger:
    pooled = _pool()
    return fit_tagger(pooled, _show(pooled), OF_KINDS, CONFIG, seed=1)


def _right(evidence: np.ndarray, shown: np.ndarray) -> float:
    return float(((evidence > 0) == (shown > 0.5)).mean())


def test_what_is_separable_is_learnt_and_holds_for_other_photos(fitted: Tagger) -> None:
    others = _pool(seed=2)

    assert _right(fitted.judge(others), _show(others).tags) > 0.9
    kinds = others @ fitted.kinds[:-1] + fitted.kinds[-1]
    assert (kinds.argmax(axis=1) == _show(others).kinds).mean() > 0.9


def test_the_same_seed_teaches_the_same() -> None:
    pooled = _pool()
    short = CONFIG.model_copy(update={"epochs": 2})

    first, again, other = (fit_tagger(pooled, _show(pooled), NO_KINDS, short, seed=seed) for seed in (1, 1, 2))

    np.testing.assert_array_equal(first.tags, again.tags)
    assert not np.array_equal(first.tags, other.tags)


def test_nothing_is_learnt_of_what_nobody_says() -> None:
    pooled = _pool()
    shown = _show(pooled)
    silent = Targets(shown.tags.copy(), np.full(PHOTOS, -1, np.int32))
    silent.tags[:, 1] = UNKNOWN
    silent.tags[100:, 0] = UNKNOWN  # of half of the photos

    tagger = fit_tagger(pooled, silent, OF_KINDS, CONFIG, seed=1)

    assert np.isfinite(tagger.tags).all()
    assert np.isfinite(tagger.kinds).all()
    others = _pool(seed=2)
    judged, known = others @ tagger.tags[:-1] + tagger.tags[-1], _show(others).tags
    assert _right(judged[:, 0], known[:, 0]) > 0.75
    assert 0.3 < _right(judged[:, 1], known[:, 1]) < 0.7


@pytest.fixture(params=[0, 2], ids=["without kinds", "with kinds"])
def decoder(request: pytest.FixtureRequest) -> Decoder:
    config = DecoderConfig(units=8, heads=2)
    return build_decoder(12, 4, CHANNELS, config, seed=1, tags=(5, 7, 9), kinds=request.param)


def test_in_a_decoder_it_thinks_as_it_did_before(fitted: Tagger, decoder: Decoder) -> None:
    assert decoder.evidence is not None
    of_kinds = OF_KINDS if decoder.evidence.kinds else NO_KINDS
    tagger = Tagger(fitted.tags, fitted.kinds if len(of_kinds) else np.zeros((0, 0), np.float32), of_kinds)
    pooled = _pool(seed=3, photos=5)

    tagger.put_into(decoder.evidence)

    expected = keras.ops.convert_to_numpy(decoder.evidence.recognise_pooled(pooled))
    np.testing.assert_allclose(tagger.judge(pooled), expected, atol=1e-4)
    read = Tagger.of({"/".join(one.path.split("/")[-2:]): keras.ops.convert_to_numpy(one) for one in decoder.weights})
    np.testing.assert_allclose(read.judge(pooled), expected, atol=1e-4)


def test_kinds_add_to_the_words_that_name_them(fitted: Tagger) -> None:
    pooled = _pool(seed=3)
    added = fitted.judge(pooled) - Tagger(fitted.tags, fitted.kinds, NO_KINDS).judge(pooled)
    first = pooled[:, 0] > pooled[:, 1]

    assert added[first, 0].mean() > 0.5
    assert added[~first, 0].mean() < -0.5
    assert (added[:, 2] == 0).all()


def test_photos_are_judged_by_what_was_learnt_from_others() -> None:
    """Of what chance says, a tagger that learnt from the photo itself would know much."""
    pooled, random = _pool(photos=40), np.random.default_rng(5)
    chance = Targets((random.random((40, 30)) < 0.5).astype(np.float32), np.full(40, -1, np.int32))

    (unseen,) = judge_unseen([pooled], chance, np.zeros((0, 30), np.float32), CONFIG, seed=1)
    seen = fit_tagger(pooled, chance, np.zeros((0, 30), np.float32), CONFIG, seed=1).judge(pooled)

    assert _right(seen, chance.tags) > 0.62
    assert _right(unseen, chance.tags) < 0.56


def test_what_can_be_learnt_is_known_of_unseen_photos_in_every_view_alike() -> None:
    pooled = _pool()

    first, second = judge_unseen([pooled, pooled], _show(pooled), NO_KINDS, CONFIG, seed=1)

    np.testing.assert_array_equal(first, second)  # or one view would be judged by what the other taught
    assert _right(first, _show(pooled).tags) > 0.85


def test_evidence_of_an_untaught_tagger_is_finite_for_a_black_photo() -> None:
    evidence = Evidence((4, 5), 9, 8)

    assert np.isfinite(keras.ops.convert_to_numpy(evidence.recognise(np.zeros((2, 4, CHANNELS), np.float32)))).all()
