"""Datasets: folders of photos with captions or with labels, for training and for evaluation."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from training.data.captioned import read_captioned
from training.data.labelled import LabelledPhoto, is_labelled, read_labelled
from training.data.photo import Photo, Split
from training.errors import DatasetError
from training.progress import say


@dataclass(frozen=True, slots=True)
class Source:
    """A folder with photos, and the share of a batch that comes from it; None: as many as it has photos."""

    folder: Path
    share: float | None = None

    @property
    def name(self) -> str:
        """What the folder is called."""
        return self.folder.resolve().name

    @classmethod
    def parse(cls, text: str) -> "Source":
        """ "path/to/folder" or "path/to/folder=0.3". Raises `ValueError`."""
        path, equals, share = text.rpartition("=")
        if not equals or Path(text).is_dir():
            return cls(Path(text))
        if not 0 < float(share) <= 1:
            raise ValueError(f"the share of {path} must be above 0, and at most 1")
        return cls(Path(path), float(share))


@dataclass(frozen=True, slots=True)
class Dataset:
    """The photos of one folder by split: a split that was not read, or has no photo, is absent.

    Photos with labels have no captions at first (`training.data.found_captions`); `labels` are by the photo's hash.
    """

    source: Source
    photos: Mapping[Split, tuple[Photo, ...]]
    labels: Mapping[str, LabelledPhoto] = field(default_factory=dict)

    @property
    def train(self) -> tuple[Photo, ...]:
        """The training photos."""
        return self.photos.get("train", ())

    @property
    def dev(self) -> tuple[Photo, ...]:
        """The photos by which the model is scored in training."""
        return self.photos.get("dev", ())

    @property
    def digest(self) -> str:
        """One sha256 over names, contents, captions and labels of training and dev photos."""
        digest = hashlib.sha256()
        for split, photos in (("train", self.train), ("dev", self.dev)):
            for photo in photos:
                digest.update("\0".join((split, photo.name, photo.sha256, *photo.captions, "\n")).encode())
        labels = "".join(f"\n{key} {one.label}" for key, one in sorted(self.labels.items()))
        return hashlib.sha256((digest.hexdigest() + labels).encode()).hexdigest()


def read_datasets(sources: Sequence[Source]) -> list[Dataset]:
    """The training and dev photos of folders, for one training. Raises DatasetError, also where two have one name, by
    which their scores are told apart, or where only some have a share.
    """
    if len({source.name for source in sources}) < len(sources):
        raise DatasetError("a dataset is named twice, or two are called the same")
    if len({source.share is None for source in sources}) > 1:
        raise DatasetError("give a share to each dataset, or to none")
    datasets = _keep_apart([_read(source, ("train", "dev")) for source in sources])
    if all(one.labels for one in datasets):
        raise DatasetError("photos with labels alone are not enough: name a dataset with captions too")
    return datasets


def read_split(folders: Sequence[Path], split: Split) -> list[Dataset]:
    """A split of each folder. Raises DatasetError, also where two folders are one or one has no such split."""
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise DatasetError("a dataset is named twice")
    return [_read(Source(folder), (split,)) for folder in folders]


def _read(source: Source, splits: Sequence[Split]) -> Dataset:
    if not is_labelled(source.folder):
        return Dataset(source, read_captioned(source.folder, splits))
    labelled = read_labelled(source.folder, splits)
    if not labelled:
        raise DatasetError(f"{source.folder} has no photo with a label for {' or '.join(splits)}")
    photos = {split: tuple(one.photo for one in listed) for split, listed in labelled.items()}
    return Dataset(source, photos, {one.photo.sha256: one for listed in labelled.values() for one in listed})


def _keep_apart(datasets: Sequence[Dataset]) -> list[Dataset]:
    """The datasets without training photos that are dev photos of another: folders may contain copies."""
    kept = []
    for dataset in datasets:
        dev = {photo.sha256 for other in datasets if other is not dataset for photo in other.dev}
        train = tuple(photo for photo in dataset.train if photo.sha256 not in dev)
        if left_out := len(dataset.train) - len(train):
            say(f"{dataset.source.folder}: {left_out} training photos are left out: they are dev photos elsewhere")
        kept.append(replace(dataset, photos={**dataset.photos, "train": train}))
    return kept
