"""Writes a bundle's MODEL_CARD.md: what it is, what it was made from, how well it does, and what it must not be trusted
with.

The headings are fixed, so that cards can be compared (Mitchell et al. 2019). Everything in the card comes from the run
itself.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from photocaption.model.manifest import Manifest
from training.data.content_words import FUNCTION_WORDS
from training.data.dataset import Dataset
from training.data.photo import Photo
from training.data.words import tokenise
from training.evaluation.calibration import GOOD_CIDER, Bin

_FREQUENT = 24
_FINE_TUNED = ", and fine-tuned on photos with captions"
_TEXTS = "Captions without photos taught it language too. "

_TEMPLATE = """\
# Model card: {name} {version}

## Summary

An image captioner in English: {encoder} encoder ({precision}), {decoder} LSTM decoder with {words} words.
It writes one lower-case sentence of at most {max_length} words about a photo.

## Data

{data}

{texts}The dev photos chose the epoch, the search and the confidence. Photos and captions are not part of the bundle;
`manifest.json` has digests of them.

## Creation

Made by the training job of this repository: `{command}`, seed {seed}.{start} Every setting is in `manifest.json` under
`training`.

## Evaluation

On the dev photos, through the code that serves, × 100:

{scores}

{subjects}
Protocol: {protocol}. The dev photos chose the weights, so that other photos of the same kind score a little lower.

What `confidence` meant there, in ten equal parts of the captions; "good" is a CIDEr of {good}, about that of the median
caption by a person:

{reliability}

## Limits and biases

- It knows what its training photos show and no more. Their captions speak most of: {frequent}. A photo of something
  else gets the
  nearest thing from that list, often with a confident sentence.
- It cannot read text, count beyond a few, name people or places, or tell what is meant from what is shown.
- Words for people's sex and age follow the training captions' guesses. They are guesses here too; do not rely on them.
- `confidence` is the chance that a caption scores like a person's on dev photos. On photos unlike those it is less
  reliable.

## Use

Drafts of alt text that a person reads before publishing, search in one's own photos, teaching. Not for decisions about
people, surveillance, or safety.

## Licence notes

The encoder's weights are those of Keras Applications' Xception, trained on ImageNet{fine_tuned}. The decoder was
trained on the data above, none of which is redistributed here. Flickr8k and Flickr30k may be used for research and
teaching; COCO's captions are CC BY 4.0, its photos under their authors' Flickr terms; ImageNet's photos for research.
"""


def write_model_card(manifest: Manifest, datasets: Sequence[Dataset], reliability: Sequence[Bin]) -> str:
    """The card of a bundle in Markdown; `reliability`: the curve on dev."""
    training: Mapping[str, Any] = manifest.training
    captioned = [one for one in datasets if not one.labels]
    scores = {name: table for name, table in manifest.scores.items() if isinstance(table, dict) and "protocol" in table}
    return _TEMPLATE.format(
        name=manifest.name,
        version=manifest.version,
        encoder=manifest.encoder.architecture.capitalize(),
        precision=manifest.encoder.precision,
        decoder=manifest.decoder.architecture,
        words=manifest.vocabulary_size,
        max_length=manifest.decoding.max_length,
        data="\n".join(f"- {_write_dataset(one)}" for one in datasets),
        texts=_TEXTS if training["texts"] else "",
        command=training["command"],
        start=_write_start(training.get("start", {})),
        seed=training["seed"],
        scores="\n\n".join(f"{name}:\n\n{_write_table(table)}" for name, table in scores.items()),
        subjects=_write_subjects(manifest),
        protocol=next(iter(scores.values()))["protocol"],
        good=f"{GOOD_CIDER:.0f}",
        reliability=_write_reliability(reliability),
        fine_tuned=_FINE_TUNED if "encoder" in training else "",
        frequent=", ".join(_frequent_words([photo for one in captioned for photo in one.train])),
    )


def _write_start(start: Mapping[str, Any]) -> str:
    if not start:
        return ""
    what = f"the bundle {start['bundle']} {start['version']}" if "bundle" in start else "what end-to-end training left"
    return f" It began with {what}."


def _write_dataset(one: Dataset) -> str:
    captions = sum(len(photo.captions) for photo in one.train)
    what = "a label each" if one.labels else f"{captions} captions"
    return f"{one.source.name}: {len(one.train)} training photos with {what}, {len(one.dev)} dev photos"


def _write_subjects(manifest: Manifest) -> str:
    lines = [
        f"{name}: {' %, '.join(f'{what} {share:.0f}' for what, share in of_set.items() if share is not None)} %\n"
        for name, of_set in manifest.scores.items()
        if isinstance(of_set, dict) and "protocol" not in of_set
    ]
    return "\n".join(lines)


def _write_table(scores: Mapping[str, object]) -> str:
    tables = {label: table for label, table in scores.items() if isinstance(table, dict)}
    names = [name for name in next(iter(tables.values())) if not name.startswith("nltk")]
    lines = ["| search | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    lines += [
        f"| {label} | " + " | ".join(f"{table[name]:.1f}" for name in names) + " |" for label, table in tables.items()
    ]
    return "\n".join(lines)


def _write_reliability(bins: Sequence[Bin]) -> str:
    lines = ["| confidence, mean | good | CIDEr, mean |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {one.confidence:.2f} | {one.good:.0%} | {one.cider:.0f} |" for one in bins)])


def _frequent_words(photos: Sequence[Photo]) -> list[str]:
    counts = Counter(word for photo in photos for caption in photo.captions for word in tokenise(caption))
    return [word for word, _ in counts.most_common() if word not in FUNCTION_WORDS][:_FREQUENT]
