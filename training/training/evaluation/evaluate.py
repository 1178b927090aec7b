"""Scores a bundle on captioned photos, with the code that serves it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import ValidationError

from photocaption.caption import CaptionOptions, Description
from photocaption.captioner import Captioner
from photocaption.model.manifest import SearchDefaults
from training.config import read_settings
from training.data.content_words import RULE
from training.data.photo import Photo
from training.data.words import split_words
from training.errors import ConfigurationError
from training.evaluation.calibration import GOOD_CIDER, Bin
from training.evaluation.metrics import CONTENT_WORDS, PROTOCOL, score_captions, score_cider
from training.progress import track

_BATCH = 8
_COLUMNS = ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "METEOR", "ROUGE-L", "CIDEr", CONTENT_WORDS)
_SUMMARY = ("BLEU-4", "METEOR", "ROUGE-L", "CIDEr", CONTENT_WORDS)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores × 100 of a bundle on some photos, greedy and with its default beam, and the captions of the beam."""

    beam_width: int
    scores: dict[str, dict[str, float]]
    descriptions: dict[str, Description]
    references: dict[str, tuple[str, ...]]

    def summary(self) -> dict[str, float | None]:
        """The main scores × 100 of the beam, by name."""
        return {name: self.scores["beam"][name] for name in _SUMMARY}

    def to_content(self) -> dict[str, Any]:
        """The evaluation as other programs read it."""
        captions = [
            {"image": photo, "caption": description.caption, "references": list(self.references[photo])}
            for photo, description in self.descriptions.items()
        ]
        return {"protocol": f"{PROTOCOL}; {RULE}", "scores": self.scores, "captions": captions}

    def ciders(self) -> list[float]:
        """CIDEr × 100 of each caption that the beam wrote."""
        references = {photo: split_words(captions) for photo, captions in self.references.items()}
        return score_cider(references, {photo: [one.caption] for photo, one in self.descriptions.items()})[1]

    def to_table(self) -> str:
        """The scores as people read them, the protocol stated."""
        widths = {name: max(9, len(name) + 2) for name in _COLUMNS}
        rows = [f"{'':8}" + "".join(f"{name:>{width}}" for name, width in widths.items())]
        rows += [
            f"{label:8}" + "".join(f"{scores[name]:{width}.2f}" for name, width in widths.items())
            for label, scores in self.scores.items()
        ]
        nltk = ", ".join(
            f"{label} " + " / ".join(f"{scores[f'nltk-BLEU-{order}']:.2f}" for order in range(1, 5))
            for label, scores in self.scores.items()
        )
        notes = [
            f"nltk's corpus BLEU-1..4: {nltk}",
            f"{len(self.descriptions)} photos, beam {self.beam_width}. {PROTOCOL}; {RULE}.",
        ]
        return "\n".join([*rows, *notes])


def override_decoding(captioner: Captioner, settings: Sequence[str]) -> Captioner:
    """The captioner with `decoding.name=value` settings instead of its bundle's. Raises ConfigurationError."""
    if not settings:
        return captioner
    manifest, asked = captioner.bundle.manifest, read_settings(settings)
    if other := asked.keys() - {"decoding"}:
        raise ConfigurationError(f"only settings of decoding shape the search, not those of {', '.join(sorted(other))}")
    try:
        decoding = SearchDefaults.model_validate(manifest.decoding.model_dump() | asked["decoding"])
    except ValidationError as error:
        raise ConfigurationError(f"decoding: {error.errors()[0]['msg']}") from error
    bundle = replace(captioner.bundle, manifest=manifest.model_copy(update={"decoding": decoding}))
    return Captioner(bundle, captioner.encoder, captioner.decoder)


def evaluate(captioner: Captioner, photos: Sequence[Photo]) -> Evaluation:
    """Caption photos greedily and with the bundle's default search, and score both."""
    greedy, beam = describe(captioner, photos, CaptionOptions(beam_width=1), CaptionOptions())
    references = {photo.name: photo.captions for photo in photos}
    scores = {
        label: score_captions(references, {photo: description.caption for photo, description in descriptions.items()})
        for label, descriptions in (("greedy", greedy), ("beam", beam))
    }
    return Evaluation(captioner.bundle.manifest.decoding.beam_width, scores, beam, references)


def describe(
    captioner: Captioner, photos: Sequence[Photo], *searches: CaptionOptions
) -> tuple[dict[str, Description], ...]:
    """The captions of photos by each of some searches, by the photo's name."""
    described: tuple[dict[str, Description], ...] = tuple({} for _ in searches)
    with track("captions", total=len(photos), unit="photos") as advance:
        for begin in range(0, len(photos), _BATCH):
            batch = photos[begin : begin + _BATCH]
            prepared = [captioner.prepare(photo.path.read_bytes()) for photo in batch]
            features = captioner.encoder.encode(np.stack([image.pixels for image in prepared]))
            names = [photo.name for photo in batch]
            for of_search, options in zip(described, searches, strict=True):
                of_search.update(zip(names, captioner.describe_features(features, options), strict=True))
            advance(len(batch))
    return described


def describe_reliability(bins: Sequence[Bin]) -> str:
    """The reliability curve as people read it."""
    rows = [f"{one.confidence:10.2f}{one.good:10.2f}{one.cider:10.1f}" for one in bins]
    return "\n".join([f"confidence  CIDEr≥{GOOD_CIDER:.0f}     CIDEr   (means of equal parts of the captions)", *rows])


def compare_cider(published: Evaluation, plain: Evaluation) -> str:
    """One line about the published precision: CIDEr with the beam, and the difference to `plain` in percent."""
    ours, theirs = published.scores["beam"]["CIDEr"], plain.scores["beam"]["CIDEr"]
    return (
        f"CIDEr as published {ours:.2f}, in float32 {theirs:.2f}: {100 * (ours / theirs - 1) if theirs else 0:+.2f} %"
    )
