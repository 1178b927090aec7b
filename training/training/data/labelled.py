"""Reads a folder of photos with one label each, a class or a scene, and no captions: what a caption of them must name.

`Images/` holds the photos, `labels.csv` (`image,label,kind,synset`) what each shows: a label is one name or several, as
WordNet gives them ("tabby, tabby cat"); a scene has no synset, and nothing depends on the kind. `kinds.csv`
(`synset,label,accepted`), which may be absent, holds the classes that show one clear subject, with the words, separated
by spaces, that count as naming it.

A photo is scored, and never trained on, where `is_withheld` says so: its synset is in `kinds.csv`, or there is no such
file, and the first byte of the sha256 of its file's name is divisible by 3. These are the folder's `dev` split; all
others are `train`.
"""

import csv
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from training.data.photo import Photo, Split, compose, hash_photo
from training.data.table import read_text
from training.data.words import tokenise
from training.errors import DatasetError

Kinds = Mapping[str, tuple[str, ...]]
"""The words that count as naming a class, by its synset; people would write the first."""

_LABELS, _KINDS = "labels.csv", "kinds.csv"
_DOGS = range(2085620, 2113979)
"""Synsets of breeds of dogs, which have these numbers in WordNet 3.0: labels name the breed, people write "dog"."""
_DOG_WORDS = ("dog", "dogs", "puppy", "puppies")
# What the names of scenes end with when they say which of two sorts it is: "bazaar indoor" is a bazaar.
_SORTS = frozenset({"indoor", "outdoor", "interior", "exterior", "public", "snowy", "deep"})


@dataclass(frozen=True, slots=True)
class LabelledPhoto:
    """A photo, without captions, and what it shows; `accepted`: the words of which a caption that names it has one;
    `subject`: the most usual of them, empty where `kinds.csv` has none.
    """

    photo: Photo
    label: str
    synset: str
    accepted: frozenset[str]
    subject: str = ""


@dataclass(frozen=True, slots=True)
class _Label:
    image: str
    label: str
    synset: str
    source: str


def is_labelled(folder: Path) -> bool:
    """Whether a folder holds labelled photos, and not captioned ones."""
    captioned = (folder / "captions.txt").is_file() or (folder / "Flickr8k_text").is_dir()
    return (folder / _LABELS).is_file() and not captioned


def is_withheld(image: str, synset: str, kinds: Kinds | None) -> bool:
    """Whether a photo is kept apart to be scored, by its file's name; `kinds` is None where a folder has no such
    file.
    """
    third = hashlib.sha256(compose(image).encode()).digest()[0] % 3 == 0
    return third and (kinds is None or synset in kinds)


def name_words(label: str) -> frozenset[str]:
    """The words that name a label by itself: the last of each of its names, alone and with an s.

    "Windsor tie" → tie, ties. What only tells sorts of a scene apart is left off: "bazaar indoor" → bazaar, bazaars.
    """
    names = [tokenise(name) for name in label.split(",")]
    last = {([word for word in words if word not in _SORTS] or words)[-1] for words in names if words}
    return frozenset(last | {f"{word}s" for word in last})


def read_kinds(folder: Path) -> Kinds | None:
    """The classes with one clear subject; None where the folder does not say. Raises DatasetError."""
    path = folder / _KINDS
    if not path.is_file():
        return None
    return {
        synset: tuple(tokenise(accepted))
        for _, (synset, _, accepted) in _read_cells(path, ("synset", "label", "accepted"), lambda cells: all(cells))
    }


def read_labelled(folder: Path, splits: Sequence[Split] = ("train", "dev")) -> dict[Split, tuple[LabelledPhoto, ...]]:
    """Read the `splits` of a folder, each photo of theirs decoded once; a split without photos is absent.

    Raises:
        DatasetError: naming the file, and the line where there is one, of the first thing that is missing or malformed.
    """
    if not (folder / "Images").is_dir():
        raise DatasetError(f"{folder} has no folder Images/ with the photos")
    files = {compose(path.name): path for path in (folder / "Images").iterdir()}
    kinds, labels = read_kinds(folder), _read_labels(folder / _LABELS)
    chosen: dict[Split, list[_Label]] = {split: [] for split in splits}
    for label in labels:
        if label.image not in files:
            raise DatasetError(f"{label.source}: labels {label.image}, which is not in {folder / 'Images'}")
        split: Split = "dev" if is_withheld(label.image, label.synset, kinds) else "train"
        if split in chosen:
            chosen[split].append(label)
    return {split: _read_photos(listed, files, kinds or {}) for split, listed in chosen.items() if listed}


def _read_photos(labels: Sequence[_Label], files: Mapping[str, Path], kinds: Kinds) -> tuple[LabelledPhoto, ...]:
    def read(label: _Label) -> LabelledPhoto:
        path = files[label.image]
        words = kinds.get(label.synset) or (_DOG_WORDS if _is_dog(label.synset) else ())
        photo = Photo(label.image, path, (), hash_photo(path))
        accepted = frozenset(words) or name_words(label.label)
        return LabelledPhoto(photo, label.label, label.synset, accepted, words[0] if words else "")

    with ThreadPoolExecutor() as pool:
        return tuple(pool.map(read, labels))


def _is_dog(synset: str) -> bool:
    return synset[1:].isdigit() and int(synset[1:]) in _DOGS


def _read_labels(path: Path) -> list[_Label]:
    labels: dict[str, _Label] = {}
    header = ("image", "label", "kind", "synset")
    for source, (image, label, _, synset) in _read_cells(path, header, lambda cells: all(cells[:3])):
        one = _Label(compose(image), label, synset, source)
        if one.image in labels:
            raise DatasetError(f"{source}: {image} has a label already ({labels[one.image].source})")
        labels[one.image] = one
    return list(labels.values())


def _read_cells(
    path: Path, header: tuple[str, ...], is_whole: Callable[[list[str]], bool]
) -> Iterator[tuple[str, list[str]]]:
    """The rows of a CSV under its header, each with its place. Raises DatasetError where one is not whole."""
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        if tuple(next(reader, [])) != header:
            raise DatasetError(f"{path}, line 1: expected the header {','.join(header)!r}")
        for row in filter(None, reader):
            cells = [cell.strip() for cell in row]
            if len(cells) != len(header) or not is_whole(cells):
                raise DatasetError(f"{path}, line {reader.line_num}: expected {','.join(header)}, but found {row}")
            yield f"{path}, line {reader.line_num}", cells
    except csv.Error as error:
        raise DatasetError(f"{path}, line {reader.line_num}: {error}") from error
