"""A decoder that was published is read back as it was, and goes on from there, with new words at the end."""

import json
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from support.tiny_bundle import build_encoder, write_tiny_bundle

from photocaption.model.bundle import ENCODER, MODEL_CARD, VOCABULARY
from photocaption.model.manifest import DecoderInfo, EncoderInfo, FeatureSpec, ImageSpec, Manifest, SearchDefaults
from photocaption.model.vocabulary import Vocabulary
from training.config import DecoderConfig
from training.data.words import TOKENS, build_vocabulary, extend_vocabulary
from training.errors import TrainingError
from training.fit.pretrained import read_pretrained
from training.models.decoder import Decoder, build_decoder
from training.models.search_decoder import SearchDecoder
from training.publish.decoder_export import export_decoder, round_weights
from training.publish.publishing import write_manifest

FEATURES = FeatureSpec(rows=4, columns=4, channels=3)  # those of the tiny bundle's encoder
WORDS = build_vocabulary([[f"word{number:02}" for number in range(36)]], 1)
TAGS = (9, 5, 30)


def _publish(decoder: Decoder, precision: str, folder: Path) -> Path:
    """A bundle with this decoder behind a tiny encoder."""
    folder.mkdir()
    (folder / ENCODER).write_bytes(build_encoder().SerializeToString())
    export_decoder(decoder, FEATURES, precision, folder)
    (folder / VOCABULARY).write_text(json.dumps(WORDS.words), encoding="utf-8")
    (folder / MODEL_CARD).write_text("# Card\n", encoding="utf-8")
    manifest = Manifest(
        schema_version=1,
        name="mine",
        version="1",
        files={},
        image=ImageSpec(height=32, width=32, canonical_size=None, resample="bicubic"),
        features=FEATURES,
        tokens=TOKENS,
        vocabulary_size=len(WORDS),
        decoding=SearchDefaults(beam_width=3, length_penalty=1, max_length=9),
        encoder=EncoderInfo(architecture="tiny", precision="float32"),
        decoder=DecoderInfo(architecture="attention", attention=decoder.attention is not None),
        confidence=None,
        training={},
        scores={},
    )
    write_manifest(folder, manifest)
    return folder


def _build(
    config: DecoderConfig, seed: int, tags: tuple[int, ...] = (), classes: int = 0, words: Vocabulary = WORDS
) -> Decoder:
    """A decoder whose every weight matters: some are zero at first."""
    decoder = build_decoder(len(words), FEATURES.cells, FEATURES.channels, config, seed, tags, classes)
    random = np.random.default_rng(seed)
    for variable in decoder.weights:
        if "seed" not in variable.path:
            values = keras.ops.convert_to_numpy(variable)
            moved = values + random.normal(0, 0.2, values.shape).astype(np.float32)
            variable.assign(moved > 0 if variable.path.endswith(("names", "subjects")) else moved)
    return decoder


def _step(decoder: Decoder) -> np.ndarray:
    """Log-probabilities [P, C, V] of the second word, for photos that differ."""
    features = np.random.default_rng(7).random((3, FEATURES.cells, FEATURES.channels)).astype(np.float32)
    steps = SearchDecoder(decoder)
    start = steps.start(features)
    state = {name: np.repeat(value[:, None], 2, axis=1) for name, value in start.state.items()}
    first = steps.step(np.full((3, 2), TOKENS.start, np.int32), start.context, state)
    return steps.step(np.array([[5, 6]] * 3, np.int32), start.context, dict(first.state)).log_probabilities


ATTENTION = DecoderConfig(units=32, heads=2)
POOLED = DecoderConfig(architecture="pooled", units=64, heads=2)
BUILT = [
    pytest.param(ATTENTION, TAGS, 2, id="attention, tags and classes"),
    pytest.param(ATTENTION, (), 0, id="attention"),
    pytest.param(POOLED, TAGS, 0, id="pooled and tags"),
]


@pytest.mark.parametrize("precision", ["int8", "float32"])
@pytest.mark.parametrize(("config", "tags", "classes"), BUILT)
def test_a_published_decoder_is_read_back(
    config: DecoderConfig, tags: tuple[int, ...], classes: int, precision: str, tmp_path: Path
) -> None:
    published, other = _build(config, 1, tags, classes), _build(config, 2, tags, classes)
    round_weights(published)
    start = read_pretrained(_publish(published, precision, tmp_path / "mine"))

    before = np.abs(_step(other) - _step(published)).max()
    start.initialise(other)

    assert (start.tags, start.classes, start.vocabulary) == (tags, classes, WORDS)
    assert (start.record["bundle"], start.record["version"]) == ("mine", "1")
    if published.evidence and classes:
        subjects = keras.ops.convert_to_numpy(published.evidence.subjects)
        assert 0 < subjects.sum() < len(tags)
        assert (start.decoder["evidence/subjects"] == subjects).all()
    difference = np.abs(_step(other) - _step(published)).max()
    assert before > 0.5
    assert difference < (1e-4 if precision == "float32" else 0.1 * before)


def test_new_words_come_last_and_the_old_ones_keep_their_places_and_their_order(tmp_path: Path) -> None:
    published = _build(ATTENTION, 1, TAGS)
    round_weights(published)
    start = read_pretrained(_publish(published, "float32", tmp_path / "mine"))
    assert start.vocabulary is not None
    captions = [["word03", "zebra", "zebra"], ["zebra", "yak", "yak", "word01"]]
    vocabulary = extend_vocabulary(start.vocabulary, captions, 2)
    taught = _build(ATTENTION, 2, TAGS, words=vocabulary)

    start.initialise(taught)

    assert vocabulary.words == (*WORDS.words, "zebra", "yak")
    old, new = _step(published), _step(taught)
    np.testing.assert_allclose(new[..., : len(WORDS)] - new[..., :1], old - old[..., :1], atol=1e-3)
    assert np.exp(new[..., len(WORDS) :]).sum(axis=-1).max() < 0.2
    assert extend_vocabulary(start.vocabulary, captions, 9) == start.vocabulary


def test_a_tagger_that_was_fitted_anew_is_kept(tmp_path: Path) -> None:
    start = read_pretrained(_publish(_build(ATTENTION, 1, TAGS), "float32", tmp_path / "mine"))
    taught = _build(ATTENTION, 2, (4, 6, 8, 10), classes=3)
    assert taught.evidence is not None
    before = keras.ops.convert_to_numpy(taught.evidence.tagger.kernel)

    start.initialise(taught, tagger=False)

    np.testing.assert_array_equal(keras.ops.convert_to_numpy(taught.evidence.tagger.kernel), before)
    trusted = start.decoder["trust/kernel"]
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(taught.evidence.trust.kernel), trusted)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"architecture": "pooled"}, r"has 2 attention heads, and not decoder\.heads=0"),
        ({"heads": 4}, r"has 2 attention heads, and not decoder\.heads=4"),
        ({"units": 16}, "does not fit the settings"),
    ],
    ids=str,
)
def test_a_decoder_of_other_settings_is_refused(changes: dict[str, object], reason: str, tmp_path: Path) -> None:
    start = read_pretrained(_publish(_build(ATTENTION, 1), "float32", tmp_path / "mine"))

    with pytest.raises(TrainingError, match=reason):
        start.initialise(_build(ATTENTION.model_copy(update=changes), 2))


def test_words_that_nobody_listed_are_not_taken_for_new_ones(tmp_path: Path) -> None:
    start = read_pretrained(_publish(_build(ATTENTION, 1), "float32", tmp_path / "mine"))
    more = build_vocabulary([[*WORDS.words[4:], "zebra"]], 1)

    with pytest.raises(TrainingError, match="embedding/table does not fit"):
        replace(start, vocabulary=None).initialise(_build(ATTENTION, 2, words=more))


def test_a_bundle_of_other_making_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="cannot be read"):
        read_pretrained(write_tiny_bundle(tmp_path / "tiny"))
