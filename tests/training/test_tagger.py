"""A tagger learns what photos show, thinks the same in a decoder, and predicts no photo that it learnt from; what
classes say adds to the words that name them.
"""

import keras
import numpy as np
import pytest

from training.config import DecoderConfig, TagsConfig
from training.data.tags import UNKNOWN
from training.fit.classes import Classes, choose_subjects, distil_classes
from training.fit.tagger import Tagger, fit_tagger, predict_out_of_fold
from training.models.decoder import Decoder, build_decoder
from training.models.evidence import Evidence, pool

PHOTOS, CHANNELS = 200, 8
CONFIG = TagsConfig(epochs=60, weight_decay=0.0, learning_rate=0.05, folds=2)
NAMES = np.array([[1, 0, 0], [0, 1, 0]], np.float32)


def _pool(seed: int = 1, photos: int = PHOTOS) -> np.ndarray:
    """Vectors of unit length, as pooled features are."""
    values = np.random.default_rng(seed).random((photos, CHANNELS)).astype(np.float32)
    return np.asarray(values / np.linalg.norm(values, axis=1, keepdims=True))


def _show(pooled: np.ndarray) -> np.ndarray:
    """What a linear layer can learn: tags by which of two channels is stronger."""
    return np.stack([pooled[:, place] > pooled[:, place + 1] for place in (0, 2, 4)], axis=1).astype(np.float32)


def _classes() -> Classes:
    """Two, by which of the first two channels is stronger; the first two tags name them."""
    weights = np.zeros((CHANNELS + 1, 2), np.float32)
    weights[0, 0] = weights[1, 1] = 20
    return Classes(weights, NAMES, np.zeros(3, np.float32))


@pytest.fixture(scope="module")
def fitted() -> Tagger:
    pooled = _pool()
    return fit_tagger(pooled, _show(pooled), CONFIG, seed=1, classes=_classes())


def _right(evidence: np.ndarray, shown: np.ndarray) -> float:
    return float(((evidence > 0) == (shown > 0.5)).mean())


def test_what_is_separable_is_learnt_and_holds_for_other_photos(fitted: Tagger) -> None:
    others = _pool(seed=2)

    assert _right(fitted.predict(others), _show(others)) > 0.9


def test_the_same_seed_teaches_the_same() -> None:
    pooled = _pool()
    short = CONFIG.model_copy(update={"epochs": 2})

    first, again, other = (fit_tagger(pooled, _show(pooled), short, seed=seed) for seed in (1, 1, 2))

    np.testing.assert_array_equal(first.tags, again.tags)
    assert not np.array_equal(first.tags, other.tags)


def test_nothing_is_learnt_of_what_nobody_says() -> None:
    pooled = _pool()
    shown = _show(pooled)
    shown[:, 1] = UNKNOWN
    shown[100:, 0] = UNKNOWN  # of half of the photos

    tagger = fit_tagger(pooled, shown, CONFIG, seed=1)

    assert np.isfinite(tagger.tags).all()
    others = _pool(seed=2)
    judged, known = tagger.predict(others), _show(others)
    assert _right(judged[:, 0], known[:, 0]) > 0.75
    assert 0.3 < _right(judged[:, 1], known[:, 1]) < 0.7


def test_classes_speak_for_the_words_that_name_them(fitted: Tagger) -> None:
    pooled = _pool(seed=3)
    added = fitted.predict(pooled) - Tagger(fitted.tags).predict(pooled)
    first = pooled[:, 0] > pooled[:, 1]

    assert added[first, 0].min() > added[~first, 0].max()
    assert added.min() == 0, "of what it is not, a photo may show something too"
    assert (added[:, 2] == 0).all(), "no class has the third tag's name"


def test_a_subject_is_as_likely_as_its_class_though_no_caption_has_its_word(fitted: Tagger) -> None:
    pooled, never = np.eye(CHANNELS, dtype=np.float32)[:2], fitted.tags.copy()
    never[:, :2] = 0
    never[-1, :2] = -20  # as of words that captions hardly ever have
    classes = Classes(_classes().weights, NAMES, np.array([1, 0, 0], np.float32))

    evidence = Tagger(never, classes).predict(pooled)

    np.testing.assert_allclose(evidence[0, 0], np.log(0.85 / 0.15), rtol=1e-5)
    assert evidence[1, 0] < -13, "a photo of the other class"
    assert evidence[1, 1] < -15, "its own is certain, but it is no subject"


def test_subjects_are_the_named_tags_that_are_mostly_right_where_their_classes_are_likely() -> None:
    logits = np.log(np.array([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]]))
    names = np.array([[2, 2, 2, 0], [0, 0, 0, 2]], np.float32)
    shown = np.array([[0.2, 0.2, 0, 1], [0.2, 0.2, UNKNOWN, 0], [0, 0, 0.2, 0], [0, 0, 0.2, 0], [0, 0, 0.2, 0]])

    subjects = choose_subjects(logits, names, shown, np.array([True, False, True, True]))

    assert subjects.tolist() == [1, 0, 0, 0], "not one that is not named, nor those that are mostly wrong"


def test_classes_are_learnt_from_a_teacher_also_where_no_label_shows_them() -> None:
    random = np.random.default_rng(4)
    known, pooled, others = random.normal(0, 5, (CHANNELS, 4)), _pool(photos=300), _pool(seed=2)
    taught = (pooled @ known + random.normal(0, 0.2, (300, 4))).astype(np.float32)
    shows = np.where(np.arange(300) < 50, taught.argmax(axis=1), -1)
    shows[shows == 3] = -1

    weights = distil_classes([pooled], taught, shows, np.arange(4))

    found = (others @ weights[:-1] + weights[-1]).argmax(axis=1)
    assert (found == (others @ known).argmax(axis=1)).mean() > 0.9
    assert (found == 3).any()


def test_classes_are_as_sure_as_they_are_right() -> None:
    random = np.random.default_rng(5)
    pooled = _pool(photos=2000)
    logits = pooled @ random.normal(0, 8, (CHANNELS, 3))
    chances = np.exp(3 * logits)
    chances /= chances.sum(axis=1, keepdims=True)
    shows = np.array([random.choice(3, p=row) for row in chances])

    weights = distil_classes([pooled], logits.astype(np.float32), shows, np.arange(3))
    alike = distil_classes([pooled], logits.astype(np.float32), shows, np.zeros(3, int))

    spread = np.ptp(pooled @ weights[:-1] + weights[-1], axis=1) / np.ptp(logits, axis=1)
    assert np.median(spread) == pytest.approx(3, abs=0.5), "the teacher is too modest by a factor of three"
    assert np.abs(alike).max() < np.abs(weights).max(), "of one kind, nothing is ever wrong"


@pytest.fixture(params=[0, 2], ids=["without classes", "with classes"])
def decoder(request: pytest.FixtureRequest) -> Decoder:
    config = DecoderConfig(units=8, heads=2)
    return build_decoder(12, 4, CHANNELS, config, seed=1, tags=(5, 7, 9), classes=request.param)


def test_in_a_decoder_it_thinks_as_it_did_before(fitted: Tagger, decoder: Decoder) -> None:
    assert decoder.evidence is not None
    tagger = fitted if decoder.evidence.classes else Tagger(fitted.tags)
    pooled = _pool(seed=3, photos=5)

    tagger.put_into(decoder.evidence)

    expected = keras.ops.convert_to_numpy(decoder.evidence.predict_tags(pooled))
    np.testing.assert_allclose(tagger.predict(pooled), expected, atol=1e-4)
    read = Tagger.of({"/".join(one.path.split("/")[-2:]): keras.ops.convert_to_numpy(one) for one in decoder.weights})
    np.testing.assert_allclose(read.predict(pooled), expected, atol=1e-4)


def test_photos_are_judged_by_what_was_learnt_from_others() -> None:
    """Of what chance says, a tagger that learnt from the photo itself would know much."""
    pooled, random = _pool(photos=40), np.random.default_rng(5)
    chance = (random.random((40, 30)) < 0.5).astype(np.float32)

    (unseen,) = predict_out_of_fold([pooled], chance, CONFIG, seed=1)
    seen = fit_tagger(pooled, chance, CONFIG, seed=1).predict(pooled)

    assert _right(seen, chance) > 0.62
    assert _right(unseen, chance) < 0.56


def test_what_can_be_learnt_is_known_of_unseen_photos_in_every_view_alike() -> None:
    pooled = _pool()

    first, second = predict_out_of_fold([pooled, pooled], _show(pooled), CONFIG, seed=1)

    np.testing.assert_array_equal(first, second)  # or one view would be judged by what the other taught
    assert _right(first, _show(pooled)) > 0.85


def test_evidence_of_an_untaught_tagger_is_finite_for_a_black_photo() -> None:
    evidence = Evidence((4, 5), 9, 8)

    assert np.isfinite(
        keras.ops.convert_to_numpy(evidence.predict_tags(pool(np.zeros((2, 4, CHANNELS), np.float32))))
    ).all()
