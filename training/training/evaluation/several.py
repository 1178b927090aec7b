"""Scores a bundle on several datasets, each with captions or with labels."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from photocaption.captioner import Captioner
from training.data.dataset import Photo, Split, read_captions, read_dataset
from training.data.labelled import LabelledPhoto, is_labelled, read_labelled
from training.data.texts import read_texts
from training.data.trigrams import RareSequences, find_rare
from training.errors import DatasetError
from training.evaluation.evaluate import Evaluation, evaluate
from training.evaluation.subjects import SubjectEvaluation, evaluate_subjects


@dataclass(frozen=True, slots=True)
class PhotoSet:
    """A split of a dataset: photos with captions, or else with labels; the other is empty."""

    folder: Path
    split: Split
    photos: tuple[Photo, ...] = ()
    labelled: tuple[LabelledPhoto, ...] = ()

    @property
    def name(self) -> str:
        """What the folder is called."""
        return self.folder.resolve().name


@dataclass(frozen=True, slots=True)
class Summary:
    """The scores × 100 of a dataset, by name, where there is one."""

    dataset: str
    photos: int
    scores: Mapping[str, float | None]


def read_sets(folders: Sequence[Path], split: Split) -> list[PhotoSet]:
    """The photos of a split of each dataset. Raises DatasetError, also where two folders are one or one has none."""
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise DatasetError("a dataset is named twice")
    return [_read_set(folder, split) for folder in folders]


def evaluate_set(captioner: Captioner, photos: PhotoSet) -> Evaluation | SubjectEvaluation:
    """Score a bundle on one dataset."""
    if photos.labelled:
        return evaluate_subjects(captioner, photos.labelled)
    return evaluate(captioner, photos.photos)


def check_trigrams(
    evaluations: Sequence[Evaluation | SubjectEvaluation], sets: Sequence[PhotoSet], texts: Sequence[Path]
) -> RareSequences:
    """The rare sequences in the captions of all datasets, counted in texts and in training captions."""
    captions = [one.caption for evaluation in evaluations for one in evaluation.descriptions.values()]
    trained = [caption for one in sets if one.photos for caption in read_captions(one.folder, "train")]
    return find_rare(captions, chain(trained, (caption for _, caption in read_texts(texts))))


def write_json(
    path: Path,
    sets: Sequence[PhotoSet],
    evaluations: Sequence[Evaluation | SubjectEvaluation],
    trigrams: RareSequences | None = None,
) -> None:
    """Write scores and captions: of one dataset as they are, of several as the list `datasets`."""
    contents: list[dict[str, Any]] = [
        {"dataset": photos.name, "split": photos.split, **evaluation.to_content()}
        for photos, evaluation in zip(sets, evaluations, strict=True)
    ]
    content: dict[str, Any] = contents[0] if len(contents) == 1 else {"datasets": contents}
    if trigrams:
        content["trigrams"] = trigrams.to_content()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _read_set(folder: Path, split: Split) -> PhotoSet:
    if not is_labelled(folder):
        return PhotoSet(folder, split, photos=read_dataset(folder, [split]).split(split))
    labelled = read_labelled(folder, [split]).get(split)
    if not labelled:
        raise DatasetError(f"{folder}, photos with labels, has no {split} split")
    return PhotoSet(folder, split, labelled=labelled)
