"""Reads a folder of photos with captions, in any of the layouts below, and refuses it whole when a part is missing or
malformed.

- *original*, as Flickr8k is published: `Flicker8k_Dataset/` (or `Flickr8k_Dataset/`) with the photos and
  `Flickr8k_text/` with
  `Flickr8k.token.txt` (`photo.jpg#0<tab>caption`) and one list of names a split (`Flickr_8k.trainImages.txt`, …);
- *Kaggle's*: `Images/` and `captions.txt`, a CSV with the header `image,caption`; it has no splits, so `splits.csv`
  (`image,split`) beside it says them, and without that file a hash of each photo's name does: 6 in 8 train, 1 dev, 1
  test.

The second is also the layout for one's own pictures.
"""

import csv
import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from inference.errors import ImageError
from inference.image.decode import decode
from training.errors import DatasetError

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

_PHOTO_FOLDERS = ("Flicker8k_Dataset", "Flickr8k_Dataset")
_TEXT_FOLDER = "Flickr8k_text"
_CAPTION_FILE = "Flickr8k.token.txt"
# The published token file captions this name, of which there is no photo: a slip that every copy has.
_PUBLISHED_SLIPS = frozenset({"2258277193_586949ec62.jpg.1"})


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo with its captions as they were written; `sha256` is that of the file's bytes, in hex."""

    name: str
    path: Path
    captions: tuple[str, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """Photos by split. A split that the folder does not have is absent; one that is there is not empty."""

    photos: dict[Split, tuple[Photo, ...]]

    def split(self, name: Split) -> tuple[Photo, ...]:
        """The photos of a split, in the order of the list. Raises DatasetError when there is no such split."""
        try:
            return self.photos[name]
        except KeyError:
            raise DatasetError(f"this dataset has no {name} split; it has {', '.join(self.photos)}") from None

    @property
    def digest(self) -> str:
        """One sha256 over all names, contents and captions: what the dataset was, in a manifest."""
        digest = hashlib.sha256()
        for split, photos in self.photos.items():
            for photo in photos:
                digest.update("\0".join((split, photo.name, photo.sha256, *photo.captions, "\n")).encode())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class _Row:
    """A caption and where it stands."""

    photo: str
    caption: str
    source: str


def read_dataset(folder: Path, splits: Iterable[Split] = ("train", "dev")) -> Dataset:
    """Read and check the `splits` of a folder: every photo that they name is decoded once.

    Raises:
        DatasetError: naming the file, and the line where there is one, of the first thing that is missing or malformed.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a folder")
    if (folder / _TEXT_FOLDER).is_dir():
        photo_folder, rows, names = _read_original(folder)
    elif (folder / "captions.txt").is_file():
        photo_folder, rows, names = _read_kaggle(folder)
    else:
        raise DatasetError(
            f"{folder} has neither {_TEXT_FOLDER}/{_CAPTION_FILE} (Flickr8k's original layout) "
            "nor captions.txt (Kaggle's layout)"
        )
    wanted = {split: names[split] for split in splits if split in names}
    captions = _group(rows, photo_folder)
    return Dataset({split: _check_photos(split, listed, photo_folder, captions) for split, listed in wanted.items()})


def _read_original(folder: Path) -> tuple[Path, list[_Row], dict[Split, list[str]]]:
    photos = _find_folder(folder, _PHOTO_FOLDERS)
    text = folder / _TEXT_FOLDER
    rows = []
    for source, line in _read_lines(text / _CAPTION_FILE):
        name, tab, caption = line.partition("\t")
        photo, hash_sign, _ = name.rpartition("#")
        if not (tab and hash_sign and caption.strip()) or "\t" in caption:
            raise DatasetError(f"{source}: expected two columns, photo.jpg#number<tab>caption, but found {line[:60]!r}")
        if photo not in _PUBLISHED_SLIPS:
            rows.append(_Row(photo, caption.strip(), source))
    lists: dict[Split, Path] = {split: text / f"Flickr_8k.{split}Images.txt" for split in SPLITS}
    return photos, rows, {split: _read_names(path) for split, path in lists.items() if path.is_file()}


def _read_kaggle(folder: Path) -> tuple[Path, list[_Row], dict[Split, list[str]]]:
    table = folder / "captions.txt"
    rows = [_Row(photo, caption, source) for source, (photo, caption) in _read_table(table, ("image", "caption"))]
    rows = [row for row in rows if row.photo not in _PUBLISHED_SLIPS]
    if (folder / "splits.csv").is_file():
        names = _read_splits(folder / "splits.csv")
    else:
        names = _hash_splits(dict.fromkeys(row.photo for row in rows))
    return _find_folder(folder, ("Images",)), rows, names


def _find_folder(folder: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (folder / name).is_dir():
            return folder / name
    raise DatasetError(f"{folder} has no folder {names[0]}/ with the photos")


def _read_lines(path: Path) -> Iterator[tuple[str, str]]:
    """The lines that are not blank, each with the place to name in an error: `path, line 3`."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DatasetError(f"{path} is missing") from None
    except UnicodeDecodeError as error:
        number = path.read_bytes()[: error.start].count(b"\n") + 1
        raise DatasetError(f"{path}, line {number}: not UTF-8 text") from error
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield f"{path}, line {number}", line.rstrip("\r")


def _read_names(path: Path) -> list[str]:
    names = [line.strip() for _, line in _read_lines(path)]
    if not names:
        raise DatasetError(f"{path} lists no photo: the split is empty")
    return names


def _read_table(path: Path, header: tuple[str, str]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Rows of a CSV with two named columns, each with its place."""
    lines = list(_read_lines(path))
    columns = ",".join(header)
    if not lines or lines[0][1].strip() != columns:
        raise DatasetError(f"{path}, line 1: expected the header {columns!r}")
    for source, line in lines[1:]:
        cells = [cell.strip() for cell in next(csv.reader([line]))]
        if len(cells) > 2 and not line.partition(",")[2].startswith('"'):  # Kaggle's file leaves some commas unquoted
            cells = [cells[0], line.partition(",")[2].strip()]
        if len(cells) != 2 or not all(cells):
            raise DatasetError(f"{source}: expected two columns, {columns}, but found {line[:60]!r}")
        yield source, (cells[0], cells[1])


def _read_splits(path: Path) -> dict[Split, list[str]]:
    names: dict[Split, list[str]] = {}
    for source, (photo, split) in _read_table(path, ("image", "split")):
        if split not in SPLITS:
            raise DatasetError(f"{source}: the split is {split!r}, but must be one of {', '.join(SPLITS)}")
        names.setdefault(split, []).append(photo)  # type: ignore[arg-type, unused-ignore]
    return names


def _hash_splits(photos: Iterable[str]) -> dict[Split, list[str]]:
    """6 in 8 of the photos to train, 1 to dev and 1 to test, by a hash of the name: the same whatever else is in the
    folder.
    """
    names: dict[Split, list[str]] = {"train": [], "dev": [], "test": []}
    for photo in photos:
        eighth = hashlib.sha256(photo.encode()).digest()[0] % 8
        names["dev" if eighth == 6 else "test" if eighth == 7 else "train"].append(photo)
    return {split: listed for split, listed in names.items() if listed}


def _group(rows: list[_Row], photo_folder: Path) -> dict[str, list[str]]:
    """Captions by photo; every captioned photo must be there."""
    present = {path.name for path in photo_folder.iterdir()}
    captions: dict[str, list[str]] = {}
    for row in rows:
        if row.photo not in present:
            raise DatasetError(f"{row.source}: captions {row.photo}, which is not in {photo_folder}")
        captions.setdefault(row.photo, []).append(row.caption)
    return captions


def _check_photos(split: Split, names: list[str], folder: Path, captions: dict[str, list[str]]) -> tuple[Photo, ...]:
    def check(name: str) -> Photo:
        if name not in captions:
            raise DatasetError(f"{folder / name}: in the {split} split, but has no caption")
        return Photo(name, folder / name, tuple(captions[name]), _hash_photo(folder / name))

    with ThreadPoolExecutor() as pool:
        return tuple(pool.map(check, names))


def _hash_photo(path: Path) -> str:
    """Decode a photo, to know that it can be, and return the sha256 of its bytes."""
    try:
        data = path.read_bytes()
        decode(data)
    except FileNotFoundError:
        raise DatasetError(f"{path} is missing") from None
    except (OSError, ImageError) as error:
        raise DatasetError(f"{path}: {error}") from error
    return hashlib.sha256(data).hexdigest()
