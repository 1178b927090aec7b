"""Photos to measure with: the examples that the page shows, at a given size, and as many distinct files as needed."""

import io
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image
from repository import EXAMPLES

_QUALITY = 88


def load_examples(megapixels: float, *, count: int | None = None) -> list[bytes]:
    """The examples as JPEG files of 4:3 with so many megapixels."""
    paths = [path for path in sorted(EXAMPLES.glob("*.jpg")) if not path.stem.endswith("-small")]
    width = round((megapixels * 1e6 * 4 / 3) ** 0.5)
    return [_resize(path, (width, width * 3 // 4)) for path in paths[:count]]


def distinct(photos: Sequence[bytes], seed: int = 0) -> Iterator[bytes]:
    """The photos again and again, each time with another comment in the file: no two have the same hash, so that
    no cache of results ever answers."""
    for number, photo in enumerate(itertools.cycle(photos)):
        comment = f"{seed}-{number}".encode()
        yield photo[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment + photo[2:]


def _resize(path: Path, size: tuple[int, int]) -> bytes:
    stream = io.BytesIO()
    with Image.open(path) as image:
        image.convert("RGB").resize(size, Image.Resampling.BICUBIC).save(stream, "JPEG", quality=_QUALITY)
    return stream.getvalue()
