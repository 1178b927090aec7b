"""Where a job can begin is read as it was written, and nothing else is taken for it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from photocaption.model.vocabulary import Vocabulary
from training.arrays import Arrays
from training.config import TrainingConfig
from training.data.words import TOKENS
from training.errors import TrainingError
from training.fit.checkpoint import read_weights
from training.fit.pretrained import Pretrained, read_pretrained, shorten, write_pretrained
from training.models.decoder import build_decoder

TUNED: Arrays = {"block14/kernel": np.ones((2, 3), np.int8), "block14/kernel:step": np.array(0.5, np.float32)}
TABLE: dict[str, Any] = {"embedding/table": np.ones(2, np.float16)}
WORDS = Vocabulary(("<padding>", "<start>", "<end>", "<unknown>", "dog"), TOKENS)


def test_a_start_is_read_as_it_was_written(config: TrainingConfig, tmp_path: Path) -> None:
    taught, untaught = (build_decoder(9, 4, 6, config.decoder, seed) for seed in (1, 2))
    weights = {path: array.astype(np.float16) for path, array in read_weights(taught).items()}
    write_pretrained(tmp_path / "start", TUNED, weights, {"command": "made"}, WORDS, [4])

    start = read_pretrained(tmp_path / "start")
    start.initialise(untaught)

    assert start.record == {"command": "made"}
    assert start.bundle is None
    assert start.vocabulary == WORDS
    assert start.tags == (4,)
    assert start.read_tuned() is start.tuned
    assert all(np.array_equal(start.tuned[name], TUNED[name]) for name in TUNED)
    for path, array in read_weights(untaught).items():
        np.testing.assert_array_equal(array, weights[path].astype(np.float32))


def test_a_decoder_of_another_kind_is_refused(config: TrainingConfig) -> None:
    other = build_decoder(9, 4, 6, config.decoder.model_copy(update={"architecture": "pooled"}))
    weights = {shorten(path): array for path, array in read_weights(other).items()}

    with pytest.raises(TrainingError, match="does not fit the settings"):
        Pretrained(decoder=weights).initialise(build_decoder(9, 4, 6, config.decoder))


@pytest.mark.parametrize("content", [b"what is this?", None])
@pytest.mark.parametrize("damaged", ["encoder.npz", "decoder.npz", "vocabulary.json", "start.json"])
def test_a_folder_that_is_no_start_is_named(tmp_path: Path, damaged: str, content: bytes | None) -> None:
    write_pretrained(tmp_path, TUNED, TABLE, {"command": "made"}, WORDS)
    path = tmp_path / damaged
    path.write_bytes(content or path.read_bytes()[:-8])  # other content, or a copy that broke off

    with pytest.raises(TrainingError, match="is neither a bundle nor what end-to-end training leaves"):
        read_pretrained(tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="nowhere"):
        read_pretrained(tmp_path / "nowhere")
