"""Reads a folder of photos with captions, in any of the layouts below, and refuses it whole when a part is missing or
malformed.

- *original*, as Flickr8k is published: `Flicker8k_Dataset/` (or `Flickr8k_Dataset/`) with the photos and
  `Flickr8k_text/` with
  `Flickr8k.token.txt` (`photo.jpg#0<tab>caption`) and one list of names a split (`Flickr_8k.trainImages.txt`, …);
- *Kaggle's*: `Images/` and `captions.txt`, a table with the header `image,caption`; it has no splits, so `splits.csv`
  (`image,split`) beside it says them, and without that file a hash of each photo's name does: 6 in 8 train, 1 dev, 1
  test.

The second is also the layout for one's own photos. Names are compared as `training.data.photo.compose` writes them:
some systems write "é" as two characters.
"""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from training.data.photo import SPLITS, Photo, Split, compose, hash_photo, refuse_special
from training.data.table import Row, read_lines, read_table
from training.errors import DatasetError
from training.progress import say

_PHOTO_FOLDERS = ("Flicker8k_Dataset", "Flickr8k_Dataset")
_TEXT_FOLDER = "Flickr8k_text"
_CAPTION_FILE = "Flickr8k.token.txt"
# The published token file captions this name, of which there is no photo.
_KNOWN_ERRORS = frozenset({"2258277193_586949ec62.jpg.1"})


def read_captioned(folder: Path, splits: Sequence[Split] = ("train", "dev")) -> dict[Split, tuple[Photo, ...]]:
    """The photos of the `splits` of a folder, in the order of the lists, each decoded once to check it.

    Raises:
        DatasetError: naming the file, and the line where there is one, of the first thing that is missing or malformed.
    """
    photo_folder, rows, names = _read_lists(folder)
    for split in splits:
        if split not in names:
            raise DatasetError(f"{folder} has no {split} split; it has {', '.join(names)}")
    _check_listed_once(names)
    captions, files = _group(rows, photo_folder)
    photos = {split: _check_photos(split, names[split], captions, files) for split in splits}
    _warn_of_copies(photos)
    return photos


def read_captions(folder: Path, split: Split) -> list[str]:
    """The captions of a split, which may be empty, without a look at the photos. Raises DatasetError."""
    _, rows, names = _read_lists(folder)
    photos = {compose(row.photo) for row in names.get(split, ())}
    return [row.text for row in rows if compose(row.photo) in photos]


def _read_lists(folder: Path) -> tuple[Path, list[Row], dict[Split, list[Row]]]:
    """The folder of the photos, the captions, and the names of each split."""
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a folder")
    if (folder / _TEXT_FOLDER).is_dir():
        return _read_original(folder)
    if (folder / "captions.txt").is_file():
        return _read_kaggle(folder)
    raise DatasetError(
        f"{folder} has neither {_TEXT_FOLDER}/{_CAPTION_FILE} (Flickr8k's original layout) "
        "nor captions.txt (Kaggle's layout)"
    )


def _read_original(folder: Path) -> tuple[Path, list[Row], dict[Split, list[Row]]]:
    photos = _find_folder(folder, _PHOTO_FOLDERS)
    text = folder / _TEXT_FOLDER
    rows = []
    refuse_special(text / _CAPTION_FILE)
    for source, line in read_lines(text / _CAPTION_FILE):
        name, tab, caption = line.partition("\t")
        photo, hash_sign, _ = name.rpartition("#")
        if not (tab and hash_sign and caption.strip()) or "\t" in caption:
            raise DatasetError(f"{source}: expected two columns, photo.jpg#number<tab>caption, but found {line[:60]!r}")
        if photo not in _KNOWN_ERRORS:
            rows.append(Row(photo, caption.strip(), source))
    lists: dict[Split, Path] = {split: text / f"Flickr_8k.{split}Images.txt" for split in SPLITS}
    return photos, rows, {split: _read_names(path, split) for split, path in lists.items() if path.is_file()}


def _read_kaggle(folder: Path) -> tuple[Path, list[Row], dict[Split, list[Row]]]:
    table = folder / "captions.txt"
    rows = [row for row in read_table(table, ("image", "caption")) if row.photo not in _KNOWN_ERRORS]
    if not rows:
        raise DatasetError(f"{table} has a header, and no caption under it")
    if (folder / "splits.csv").is_file():
        names = _read_splits(folder / "splits.csv")
    else:
        names = _hash_splits({compose(row.photo): row for row in rows}, table)
    return _find_folder(folder, ("Images",)), rows, names


def _find_folder(folder: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (folder / name).is_dir():
            return folder / name
    raise DatasetError(f"{folder} has no folder {names[0]}/ with the photos")


def _read_names(path: Path, split: Split) -> list[Row]:
    names = [Row(line.strip(), split, source) for source, line in read_lines(path)]
    if not names:
        raise DatasetError(f"{path} lists no photo: the split is empty")
    return names


def _read_splits(path: Path) -> dict[Split, list[Row]]:
    names: dict[Split, list[Row]] = {}
    for row in read_table(path, ("image", "split")):
        if row.text not in SPLITS:
            raise DatasetError(f"{row.source}: the split is {row.text!r}, but must be one of {', '.join(SPLITS)}")
        names.setdefault(row.text, []).append(row)  # type: ignore[arg-type, unused-ignore]
    return names


def _hash_splits(photos: dict[str, Row], table: Path) -> dict[Split, list[Row]]:
    """6 in 8 of the photos to train, 1 to dev and 1 to test, by a hash of the name: the same whatever else is in the
    folder.
    """
    names: dict[Split, list[Row]] = {"train": [], "dev": [], "test": []}
    for photo, row in photos.items():
        eighth = hashlib.sha256(photo.encode()).digest()[0] % 8
        names["dev" if eighth == 6 else "test" if eighth == 7 else "train"].append(row)
    if not (names["train"] and names["dev"]):
        count = "only one photo" if len(photos) == 1 else f"only {len(photos)} photos"
        raise DatasetError(
            f"{table} captions {count}: too few to be divided into some to learn from and some to be judged by. "
            "Add photos, or write splits.csv"
        )
    return {split: listed for split, listed in names.items() if listed}


def _check_listed_once(names: dict[Split, list[Row]]) -> None:
    listed: dict[str, tuple[Split, Row]] = {}
    for split, rows in names.items():
        for row in rows:
            first = listed.setdefault(compose(row.photo), (split, row))
            if first[1] is not row:
                raise DatasetError(
                    f"{row.source}: {row.photo} is in the {split} split, but already in {first[0]} "
                    f"({first[1].source}); a photo has one place"
                )


def _warn_of_copies(photos: dict[Split, tuple[Photo, ...]]) -> None:
    """Warn of copies of a photo in several splits: scores of training photos are meaningless."""
    owners: dict[str, tuple[Split, Photo]] = {}
    for split, listed in photos.items():
        for photo in listed:
            other, copy = owners.setdefault(photo.sha256, (split, photo))
            if other != split:
                say(f"warning: {photo.name} in {split} is the same photo as {copy.name} in {other}")


def _group(rows: list[Row], photo_folder: Path) -> tuple[dict[str, list[str]], dict[str, Path]]:
    """Captions and files by photo; every captioned photo must be there."""
    files = {compose(path.name): path for path in photo_folder.iterdir()}
    captions: dict[str, list[str]] = {}
    for row in rows:
        name = compose(row.photo)
        if name not in files:
            raise DatasetError(f"{row.source}: captions {row.photo}, which is not in {photo_folder}")
        captions.setdefault(name, []).append(row.text)
    return captions, files


def _check_photos(
    split: Split, listed: list[Row], captions: dict[str, list[str]], files: dict[str, Path]
) -> tuple[Photo, ...]:
    def check(row: Row) -> Photo:
        name = compose(row.photo)
        if name not in captions:
            raise DatasetError(f"{row.source}: {row.photo}: in the {split} split, but has no caption")
        return Photo(name, files[name], tuple(captions[name]), hash_photo(files[name]))

    with ThreadPoolExecutor() as pool:
        return tuple(pool.map(check, listed))
