"""Scores a bundle on several datasets, each with captions or with labels."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from photocaption.captioner import Captioner
from training.data.captioned import read_captions
from training.data.dataset import Dataset
from training.data.photo import Split
from training.data.texts import read_texts
from training.data.trigrams import RareSequences, find_rare
from training.evaluation.evaluate import Evaluation, evaluate
from training.evaluation.subjects import SubjectEvaluation, evaluate_subjects


@dataclass(frozen=True, slots=True)
class Summary:
    """The scores × 100 of a dataset, by name, where there is one."""

    dataset: str
    photos: int
    scores: Mapping[str, float | None]


def evaluate_dataset(captioner: Captioner, dataset: Dataset, split: Split) -> Evaluation | SubjectEvaluation:
    """Score a bundle on a split of a dataset."""
    photos = dataset.photos[split]
    if dataset.labels:
        return evaluate_subjects(captioner, [dataset.labels[photo.sha256] for photo in photos])
    return evaluate(captioner, photos)


def check_trigrams(
    evaluations: Sequence[Evaluation | SubjectEvaluation], datasets: Sequence[Dataset], texts: Sequence[Path]
) -> RareSequences:
    """The rare sequences in the captions of all datasets, counted in texts and in training captions."""
    captions = [one.caption for evaluation in evaluations for one in evaluation.descriptions.values()]
    trained = [caption for one in datasets if not one.labels for caption in read_captions(one.source.folder, "train")]
    return find_rare(captions, chain(trained, (caption for _, caption in read_texts(texts))))


def write_json(
    path: Path,
    datasets: Sequence[Dataset],
    split: Split,
    evaluations: Sequence[Evaluation | SubjectEvaluation],
    trigrams: RareSequences | None = None,
) -> None:
    """Write scores and captions: of one dataset as they are, of several as the list `datasets`."""
    contents: list[dict[str, Any]] = [
        {"dataset": dataset.source.name, "split": split, **evaluation.to_content()}
        for dataset, evaluation in zip(datasets, evaluations, strict=True)
    ]
    content: dict[str, Any] = contents[0] if len(contents) == 1 else {"datasets": contents}
    if trigrams:
        content["trigrams"] = trigrams.to_content()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
