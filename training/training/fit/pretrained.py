"""Pretrained weights for a training: those of a published bundle, or of the folder that end-to-end training writes
(`training.fit.end_to_end`).
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
class Pretrained:
    """Pretrained weights; all fields are empty for a training from ImageNet's weights and an untrained decoder.

    `tuned`: fine-tuned weights of the encoder (`training.encoder.weight_deltas`); `decoder`: its weights by the last
    two parts of their path; `record`: how they were trained; `vocabulary`, and the token ids of the `tags`. Of a bundle
    also the `bundle` and the `heads` of its attention.
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
        """The number of classes of its tagger."""
        return len(self.decoder.get("classes/bias", ()))

    def keeps_tagger(self, *, labels: bool) -> bool:
        """Whether its tagger is kept. One of a bundle is fitted again if there are `labels`; without them a new one
        would not know their classes. The encoder of end-to-end training was trained for this tagger.
        """
        return bool(self.tags) and not (self.bundle and labels)

    def read_tuned(self) -> Arrays:
        """What fine-tuning changed in the encoder, of a bundle too. Raises TrainingError where its file is missing."""
        return weight_deltas.read_tuned(self.bundle) if self.bundle else self.tuned

    def initialise(self, decoder: Decoder, *, tagger: bool = True) -> None:
        """Set a decoder's weights. Its vocabulary may have more words at its end, and it may have tags that these
        weights lack. `tagger`: whether to set those of the tagger, too. Raises TrainingError where the sizes do not
        fit.
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
    """The rows of known words, then new rows for new words, scaled to the same deviation; biases are the smallest."""
    if known.ndim == 1:
        return np.concatenate([known, np.full(len(fresh) - len(known), known.min(), known.dtype)])
    added = fresh[len(known) :]
    return np.concatenate([known, added * (known.std() / max(float(added.std()), 1e-9)) if len(added) else added])


def write_pretrained(
    folder: Path,
    tuned: Arrays,
    decoder: Mapping[str, Any],
    record: Mapping[str, Any],
    vocabulary: Vocabulary,
    tags: Sequence[int] = (),
) -> None:
    """Write a folder from which `read_pretrained` reads the same."""
    folder.mkdir(parents=True, exist_ok=True)
    weight_deltas.save(folder / _ENCODER, tuned)
    save_arrays(folder / _DECODER, {shorten(path): weights for path, weights in decoder.items()})
    words = {"words": vocabulary.words, "tags": list(map(int, tags))}
    (folder / _WORDS).write_text(json.dumps(words, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    (folder / _RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def read_pretrained(folder: Path) -> Pretrained:
    """The pretrained weights of a folder. Raises TrainingError, and CaptionError of a bundle that is damaged."""
    if (folder / MANIFEST_NAME).is_file():
        bundle = load_bundle(folder)
        weights, tags, heads = read_decoder(bundle)
        record = {
            "bundle": bundle.manifest.name,
            "version": bundle.manifest.version,
            "training": bundle.manifest.training,  # which has the record of its own start
        }
        return Pretrained({}, weights, record, bundle.vocabulary, tags, bundle, heads)
    try:
        tuned, decoder = (read_arrays((folder / name).read_bytes()) for name in (_ENCODER, _DECODER))
        words, record = (json.loads((folder / name).read_text(encoding="utf-8")) for name in (_WORDS, _RECORD))
        vocabulary, tags = Vocabulary(tuple(words["words"]), TOKENS), tuple(words["tags"])
    except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
        raise TrainingError(f"{folder} is neither a bundle nor what end-to-end training leaves: {error}") from error
    return Pretrained(tuned, decoder, record, vocabulary, tags)
