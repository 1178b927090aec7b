"""What training optimises is what serving computes, and the photo matters to it, and what it says of single words."""

from collections.abc import Sequence
from typing import Literal

import keras
import numpy as np
import pytest

from photocaption.model.beam_search import SearchOptions, search
from training.config import DecoderConfig
from training.data.words import TOKENS
from training.models.decoder import Decoder, build_decoder
from training.models.evidence import Evidence, pool
from training.models.search_decoder import SearchDecoder

Architecture = Literal["attention", "pooled"]

WORDS, CELLS, CHANNELS = 12, 4, 6
TAGS = (5, 8, 11)


def _build(architecture: Architecture = "attention", tags: Sequence[int] = TAGS) -> Decoder:
    """A decoder that makes use of the evidence, if it has any: at first its gist is zero."""
    config = DecoderConfig(architecture=architecture, units=8, heads=2, dropout=0.0)
    decoder = build_decoder(WORDS, CELLS, CHANNELS, config, seed=3, tags=tags)
    if evidence := decoder.evidence:
        random = np.random.default_rng(4)
        for kernel, spread in ((evidence.gist.kernel, 0.5), (evidence.tagger.kernel, 9)):
            kernel.assign(random.normal(0, spread, kernel.shape))
    return decoder


def _build_with_evidence() -> tuple[Decoder, Evidence]:
    decoder = _build()
    assert decoder.evidence
    return decoder, decoder.evidence


@pytest.fixture(params=[("attention", ()), ("attention", TAGS), ("pooled", ()), ("pooled", TAGS)], ids=str)
def decoder(request: pytest.FixtureRequest) -> Decoder:
    return _build(*request.param)


def _features(photos: int) -> np.ndarray:
    return np.random.default_rng(1).random((photos, CELLS, CHANNELS)).astype(np.float32)


def _captions(photos: int, captions: int, length: int) -> np.ndarray:
    return np.random.default_rng(2).integers(4, WORDS, (photos, captions, length)).astype(np.int32)


def test_stepping_gives_the_log_probabilities_of_teacher_forcing(decoder: Decoder) -> None:
    features, tokens = _features(2), _captions(2, 3, 5)
    logits = keras.ops.convert_to_numpy(decoder((features, tokens)))
    forced = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))

    steps = SearchDecoder(decoder)
    start = steps.start(features)
    state = {name: np.repeat(value[:, None], 3, axis=1) for name, value in start.state.items()}
    for place in range(5):
        step = steps.step(tokens[:, :, place], start.context, state)
        state = dict(step.state)
        np.testing.assert_allclose(step.log_probabilities, forced[:, :, place], atol=1e-5)


def test_a_word_depends_on_the_words_before_it_and_on_none_after(decoder: Decoder) -> None:
    features, tokens = _features(1), _captions(1, 1, 5)
    changed = tokens.copy()
    changed[0, 0, 2] = 4 + (changed[0, 0, 2] - 3) % (WORDS - 4)

    before, after = (keras.ops.convert_to_numpy(decoder((features, given)))[0, 0] for given in (tokens, changed))

    np.testing.assert_array_equal(before[:2], after[:2])
    assert all(np.abs(before[place] - after[place]).max() > 1e-4 for place in (2, 3, 4))


def test_each_photo_is_read_by_itself(decoder: Decoder) -> None:
    features, tokens = _features(2), _captions(2, 2, 4)
    together = keras.ops.convert_to_numpy(decoder((features, tokens)))
    alone = keras.ops.convert_to_numpy(decoder((features[:1], tokens[:1])))

    np.testing.assert_allclose(together[:1], alone, atol=1e-5)
    assert np.abs(together[0] - keras.ops.convert_to_numpy(decoder((features[1:], tokens[:1])))[0]).max() > 1e-4


def test_attention_is_a_distribution_over_cells_and_only_the_attention_decoder_has_it(decoder: Decoder) -> None:
    steps = SearchDecoder(decoder)
    start = steps.start(_features(2))
    state = {name: value[:, None] for name, value in start.state.items()}
    attention = steps.step(np.full((2, 1), TOKENS.start, np.int32), start.context, state).attention

    if decoder.attention is None:
        assert attention is None
    else:
        assert attention is not None
        assert attention.shape == (2, 1, CELLS)
        np.testing.assert_allclose(attention.sum(axis=-1), 1, atol=1e-5)


def test_the_search_that_serves_runs_on_the_decoder_that_trains(decoder: Decoder) -> None:
    options = SearchOptions(beam_width=2, length_penalty=0.8, max_length=4)

    found = search(SearchDecoder(decoder), _features(3), options, TOKENS)

    assert len(found) == 3
    assert all(1 <= len(best.tokens) <= 4 and not set(best.tokens) & set(TOKENS.ids()) for best, *_ in found)


def test_the_same_seed_gives_the_same_decoder_and_another_seed_another() -> None:
    config = DecoderConfig(units=8, heads=2)
    tables = [_table(build_decoder(WORDS, CELLS, CHANNELS, config, seed)) for seed in (1, 1, 2)]

    np.testing.assert_array_equal(tables[0], tables[1])
    assert np.abs(tables[0] - tables[2]).max() > 0


def test_dropout_of_an_epoch_is_the_same_whenever_it_runs() -> None:
    decoder = build_decoder(WORDS, CELLS, CHANNELS, DecoderConfig(units=8, heads=2), seed=1)

    def run(epoch: int) -> np.ndarray:
        decoder.reseed(epoch)
        return np.array(keras.ops.convert_to_numpy(decoder((_features(1), _captions(1, 1, 3)), training=True)))

    first, other, again = run(4), run(5), run(4)

    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0


def test_a_decoder_that_drops_nothing_learns_as_it_writes() -> None:
    decoder = build_decoder(WORDS, CELLS, CHANNELS, DecoderConfig(units=8, heads=2, dropout=0.5))
    inputs = (_features(2), _captions(2, 3, 4))
    written = keras.ops.convert_to_numpy(decoder(inputs))
    assert not np.allclose(keras.ops.convert_to_numpy(decoder(inputs, training=True)), written)

    decoder.disable_dropout()

    np.testing.assert_allclose(keras.ops.convert_to_numpy(decoder(inputs, training=True)), written, atol=1e-6)


def test_what_a_photo_says_of_its_words_is_what_the_tagger_sees_in_it() -> None:
    (decoder, tags), features, tokens = _build_with_evidence(), _features(2), _captions(2, 2, 3)
    pooled = np.sqrt(features.mean(axis=1))
    pooled /= np.linalg.norm(pooled, axis=1, keepdims=True)
    kernel, bias = (keras.ops.convert_to_numpy(weight) for weight in (tags.tagger.kernel, tags.tagger.bias))
    evidence = pooled @ kernel + bias

    np.testing.assert_allclose(keras.ops.convert_to_numpy(pool(features)), pooled, atol=1e-5)
    seen, told = (decoder(inputs) for inputs in ((features, tokens), (features, evidence, tokens)))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(seen), keras.ops.convert_to_numpy(told), atol=1e-4)


def test_a_class_that_is_likely_adds_to_the_words_that_name_it() -> None:
    config = DecoderConfig(units=8, heads=2, dropout=0.0)
    tags = build_decoder(WORDS, CELLS, CHANNELS, config, tags=TAGS, classes=2).evidence
    assert tags
    assert tags.classes
    assert tags.names is not None
    tags.classes.bias.assign([3.0, 0.0])
    tags.names.assign([[1, 0, 0], [0, 1, 0]])
    photo = _features(1)

    alone = keras.ops.convert_to_numpy(tags.tagger(pool(photo)))
    both = keras.ops.convert_to_numpy(tags.predict_tags(pool(photo)))

    logits = keras.ops.convert_to_numpy(tags.classes(pool(photo)))[0]
    first = 1 / (1 + np.exp(logits[1] - logits[0]))  # of two that exclude each other
    np.testing.assert_allclose(both - alone, [[np.log(1 + 100 * first), np.log(1 + 100 * (1 - first)), 0]], atol=1e-4)

    tags.write_class_weight(2.0)
    tags.write_class_weight(3.0)  # of the names as they were
    more = keras.ops.convert_to_numpy(tags.predict_tags(pool(photo)))
    np.testing.assert_allclose(more - alone, [[np.log(1 + 300 * first), np.log(1 + 300 * (1 - first)), 0]], atol=1e-4)


def test_evidence_within_six_is_added_to_the_logits_of_its_words_alone_as_far_as_it_is_trusted() -> None:
    (decoder, tags), features, tokens = _build_with_evidence(), _features(1), _captions(1, 1, 2)
    tags.gist.kernel.assign(np.zeros((8, 8)))
    tags.trust.kernel.assign(np.zeros((8, 1)))
    tags.trust.bias.assign([np.log(np.expm1(0.5))])  # which softplus makes a half

    def score(evidence: Sequence[float]) -> np.ndarray:
        logits = decoder((features, np.array([evidence], np.float32), tokens))
        of_first_word: np.ndarray = keras.ops.convert_to_numpy(logits)[0, 0, 0]
        return of_first_word

    expected = np.zeros(WORDS)
    expected[list(TAGS)] = 0.5 * 2, 0.5 * -6, 0.5 * 6
    np.testing.assert_allclose(score([2, -99, 99]) - score([0, 0, 0]), expected, atol=1e-5)


def test_the_gist_is_the_sum_of_the_words_that_are_probable() -> None:
    (decoder, tags), evidence = _build_with_evidence(), np.array([[0.0, 2.0, -1.0]], np.float32)
    tags.gist.kernel.assign(np.eye(8))
    table = _table(decoder)

    gist = keras.ops.convert_to_numpy(tags.embed_tags(evidence, table))

    probabilities = 1 / (1 + np.exp(-evidence[0]))
    np.testing.assert_allclose(gist[0], probabilities @ table[list(TAGS)] * 8**0.5, atol=1e-5)


@pytest.mark.parametrize("architecture", ["attention", "pooled"])
def test_captions_without_a_photo_are_read_with_evidence_alone(architecture: Architecture) -> None:
    decoder, tokens, random = _build(architecture), _captions(2, 1, 4), np.random.default_rng(5)
    evidence, other = (random.normal(0, 3, (2, len(TAGS))).astype(np.float32) for _ in range(2))
    write = keras.ops.convert_to_numpy

    logits = write(decoder((evidence, tokens)))

    assert logits.shape == (2, 1, 4, WORDS)
    np.testing.assert_allclose(write(decoder((evidence[:1], tokens[:1]))), logits[:1], atol=1e-5)
    assert np.abs(write(decoder((other, tokens))) - logits).max() > 1e-2


def test_captions_do_not_move_the_tagger_and_move_what_is_made_of_its_evidence() -> None:
    learning = {variable.path.rpartition("decoder/")[2] for variable in _build().trainable_variables}

    assert {"gist/kernel", "trust/kernel", "trust/bias"} <= learning
    assert not any("tagger" in path for path in learning)


def _table(decoder: Decoder) -> np.ndarray:
    table: np.ndarray = keras.ops.convert_to_numpy(decoder.embedding.table)
    return table
