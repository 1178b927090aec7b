"""Several datasets as one training split: each has a share of every batch, and dev photos with captions or labels, by
which the model is scored.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.data.dataset import Dataset, Photo, read_dataset
from training.data.labelled import LabelledPhoto, is_labelled, read_labelled
from training.errors import DatasetError
from training.progress import say

_ROUNDING = 1e-9  # 0.29 of 100 photos are 29


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
class Collection:
    """The training and dev photos of one folder.

    Photos with labels have no captions at first (`training.data.found_captions`); `labels` are by the photo's hash.
    """

    source: Source
    train: tuple[Photo, ...]
    dev: tuple[Photo, ...]
    labels: Mapping[str, LabelledPhoto] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """One sha256 over photos, captions and labels."""
        labels = "".join(f"\n{key} {one.label}" for key, one in sorted(self.labels.items()))
        return hashlib.sha256((Dataset({"train": self.train, "dev": self.dev}).digest + labels).encode()).hexdigest()


def read_collections(sources: Sequence[Source]) -> list[Collection]:
    """Read and check folders. Raises DatasetError, also where two have one name, by which their scores are told apart,
    or where only some have a share.
    """
    if len({source.name for source in sources}) < len(sources):
        raise DatasetError("a dataset is named twice, or two are called the same")
    if len({source.share is None for source in sources}) > 1:
        raise DatasetError("give a share to each dataset, or to none")
    collections = _keep_apart([_read(source) for source in sources])
    if all(collection.labels for collection in collections):
        raise DatasetError("photos with labels alone are not enough: name a dataset with captions too")
    return collections


class Mixture:
    """The training photos of several collections, drawn for an epoch so that each has its share of every batch."""

    def __init__(
        self, counts: Sequence[int], shares: Sequence[float | None] | None, batch: int, least_batches: int = 1
    ) -> None:
        """`counts`: photos of each collection, which follow one another; `shares` as in `Source`, where those of
        collections without photos are divided among the others; `batch`: photos of a batch; `least_batches`: of an
        epoch, however few photos there are.
        """
        self.size = min(batch, sum(counts))
        self.batches = max(sum(counts) // self.size, least_batches)
        self._begins = np.concatenate([[0], np.cumsum(counts)[:-1]])
        given = np.array(counts if shares is None or None in shares else shares, float) * (np.array(counts) > 0)
        self._counts, self._shares = counts, given / given.sum()

    def draw(self, random: np.random.Generator) -> npt.NDArray[np.intp]:
        """Places [batches · size] of an epoch's photos in random order, each photo of a collection equally often."""
        total = self.batches * self.size
        wanted = np.floor(self._shares * total + _ROUNDING).astype(int)
        wanted[np.argmax(self._shares)] += total - wanted.sum()
        parts = [
            begin + np.concatenate([random.permutation(count) for _ in range(-(-want // count))])[:want]
            for begin, count, want in zip(self._begins, self._counts, wanted, strict=True)
            if want
        ]
        return random.permutation(np.concatenate(parts))


def _keep_apart(collections: Sequence[Collection]) -> list[Collection]:
    """The collections without training photos that are dev photos of another: folders may contain copies."""
    kept = []
    for collection in collections:
        dev = {photo.sha256 for other in collections if other is not collection for photo in other.dev}
        train = tuple(photo for photo in collection.train if photo.sha256 not in dev)
        if left_out := len(collection.train) - len(train):
            say(f"{collection.source.folder}: {left_out} training photos are left out: they are dev photos elsewhere")
        kept.append(replace(collection, train=train))
    return kept


def _read(source: Source) -> Collection:
    if not is_labelled(source.folder):
        photos = read_dataset(source.folder)
        return Collection(source, photos.split("train"), photos.split("dev"))
    labelled = read_labelled(source.folder)
    train, dev = (labelled.get(split, ()) for split in ("train", "dev"))
    labels = {one.photo.sha256: one for one in (*train, *dev)}
    if not labels:
        raise DatasetError(f"{source.folder} has no photo with a label")
    return Collection(source, tuple(one.photo for one in train), tuple(one.photo for one in dev), labels)
