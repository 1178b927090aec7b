"""A photo of a dataset, and how it is read."""

import hashlib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from PIL import Image

from photocaption.errors import ImageError
from photocaption.image.decode import decode
from training.errors import DatasetError

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

# Photos are shrunk while they are read, as in serving, but to no less than any encoder's input or part of it needs.
_SUFFICIENT_SIDE = 1024


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo with its captions as they were written; `sha256` is that of the file's bytes, in hex."""

    name: str
    path: Path
    captions: tuple[str, ...]
    sha256: str


def read_image(path: Path) -> Image.Image:
    """A photo in RGB, shrunk while it is read where it is much larger than training needs. Raises DatasetError."""
    refuse_special(path)
    try:
        image, _ = decode(path.read_bytes(), sufficient_side=_SUFFICIENT_SIDE)
    except FileNotFoundError:
        raise DatasetError(f"{path} is missing") from None
    except (OSError, ImageError) as error:
        raise DatasetError(f"{path}: {error}") from error
    return image if image.mode == "RGB" else image.convert("RGB")


def hash_photo(path: Path) -> str:
    """The sha256 of a photo's bytes, after checking that it can be decoded. Raises DatasetError."""
    read_image(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def list_captions(photos: Iterable[Photo]) -> list[str]:
    """All captions of photos."""
    return [caption for photo in photos for caption in photo.captions]


def compose(name: str) -> str:
    """A photo's name as names are compared: in Unicode's composed form (NFC)."""
    return unicodedata.normalize("NFC", name)


def refuse_special(path: Path) -> None:
    """Raise DatasetError for pipes, devices and folders: reading them may never end."""
    if path.exists() and not path.is_file():
        raise DatasetError(f"{path} is not a regular file")
