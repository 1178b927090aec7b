"""Where a training can begin instead of with ImageNet's encoder and an untaught decoder: with a published bundle, or
with the folder that end-to-end training leaves (`training.fit.end_to_end`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from keras import ops

from photocaption.model.bundle import Bundle, load_bundle
from photocaption.model.manifest import MANIFEST_NAME
from photocaption.model.vocabulary import Vocabulary
from training.arrays import Arrays, read_arrays, save_arrays
from training.data.words import TOKENS
from training.encoder import weight_deltas
from training.errors import TrainingError
from training.fit.decoder_import import read_decoder
from training.models.decoder import Decoder

_ENCODER = "encoder.npz"
_DECODER = "decoder.npz"
_WORDS = "vocabulary.json"
_RECORD = "start.json"
_TAGGER = frozenset({"tagger", "classes", "evidence"})
_OF_TAGS = _TAGGER | {"gist", "trust"}
_TABLES = ("embedding/table", "embedding/bias")


@dataclass(frozen=True, slots=True)
class Start:
    """What is known already: `tuned`, what fine-tuning changed in the encoder (`training.encoder.weight_deltas`); the
    weights of the decoder by the last two parts of their path; a record of how they came about; its words, and the
    token ids of its tags. Where that is a bundle, also the `bundle` and the heads of its attention.
    """

    tuned: Arrays = field(default_factory=dict)
    decoder: Arrays = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)
    vocabulary: Vocabulary | None = None
    tags: tuple[int, ...] = ()
    bundle: Bundle | None = None
    heads: int = 0

    @property
    def classes(self) -> int:
        """How many classes of subjects its tagger tells apart."""
        return len(self.decoder.get("classes/bias", ()))

    def keeps_tagger(self, *, labels: bool) -> bool:
        """Whether its tagger stays: fitted anew on photos without `labels`, that of a bundle would forget theirs; and
        the encoder that end-to-end training leaves has learnt to show its tags to this one.
        """
        return bool(self.tags) and not (self.bundle and labels)

    def read_tuned(self) -> Arrays:
        """What fine-tuning changed in the encoder, of a bundle too. Raises TrainingError where its file is missing."""
        return weight_deltas.read_tuned(self.bundle) if self.bundle else self.tuned

    def teach(self, decoder: Decoder, *, tagger: bool = True) -> None:
        """Put the weights into a decoder, whose vocabulary may have more words at its end, and which may have tags
        where this one has none; those of the tagger where `tagger` says so. Raises TrainingError when they are those of
        another decoder.
        """
        heads = decoder.attention.heads if decoder.attention else 0
        if self.bundle and heads != self.heads:
            raise TrainingError(f"the start's decoder has {self.heads} attention heads, and not decoder.heads={heads}")
        for variable in decoder.weights:
            name = shorten(variable.path)
            layer, known = name.split("/")[0], self.decoder.get(name)
            if (layer in _TAGGER and not tagger) or (layer in _OF_TAGS and known is None):
                continue
            if known is not None and name in _TABLES and self.vocabulary and known.shape[1:] == variable.shape[1:]:
                known = _extend(known, ops.convert_to_numpy(variable))
            if known is None or known.size != np.prod(variable.shape):
                raise TrainingError(f"the start's decoder is another one: its {name} does not fit the settings")
            variable.assign(known.astype(np.float32).reshape(variable.shape))


def shorten(path: str) -> str:
    """The last two parts of the path of a weight, which name it in every decoder."""
    return "/".join(path.split("/")[-2:])


def _extend(known: np.ndarray, fresh: np.ndarray) -> np.ndarray:
    """Rows of words that are known, then fresh ones for new words: about as large, and at first as likely as the
    unlikeliest.
    """
    if known.ndim == 1:
        return np.concatenate([known, np.full(len(fresh) - len(known), known.min(), known.dtype)])
    added = fresh[len(known) :]
    return np.concatenate([known, added * (known.std() / max(float(added.std()), 1e-9)) if len(added) else added])


def write_start(
    folder: Path,
    tuned: Arrays,
    decoder: Mapping[str, Any],
    record: Mapping[str, Any],
    vocabulary: Vocabulary,
    tags: Sequence[int] = (),
) -> None:
    """Write a folder from which `read_start` reads the same."""
    folder.mkdir(parents=True, exist_ok=True)
    weight_deltas.save(folder / _ENCODER, tuned)
    save_arrays(folder / _DECODER, {shorten(path): weights for path, weights in decoder.items()})
    words = {"words": vocabulary.words, "tags": list(map(int, tags))}
    (folder / _WORDS).write_text(json.dumps(words, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    (folder / _RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def read_start(folder: Path) -> Start:
    """What a folder has to begin with. Raises TrainingError, and CaptionError of a bundle that is damaged."""
    if (folder / MANIFEST_NAME).is_file():
        bundle = load_bundle(folder)
        weights, tags, heads = read_decoder(bundle)
        record = {
            "bundle": bundle.manifest.name,
            "version": bundle.manifest.version,
            "training": bundle.manifest.training,  # and so where that one began
        }
        return Start({}, weights, record, bundle.vocabulary, tags, bundle, heads)
    try:
        tuned, decoder = (read_arrays((folder / name).read_bytes()) for name in (_ENCODER, _DECODER))
        words, record = (json.loads((folder / name).read_text(encoding="utf-8")) for name in (_WORDS, _RECORD))
        vocabulary, tags = Vocabulary(tuple(words["words"]), TOKENS), tuple(words["tags"])
    except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
        raise TrainingError(f"{folder} is neither a bundle nor what end-to-end training leaves: {error}") from error
    return Start(tuned, decoder, record, vocabulary, tags)
