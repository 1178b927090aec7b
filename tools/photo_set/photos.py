"""The photo set: freely licensed photos that are not from the training data, and how a photo looks at other sizes.

They are the examples of the page and those in docs/photos; `photos.json` beside each says where they come from.
"""

import io
import json
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from repository import EXAMPLES, ROOT

_FOLDERS = {
    EXAMPLES: "examples.json",
    ROOT / "docs/photos": "photos.json",
}
_ACCEPTED = ROOT / "docs/photos/accepted.json"  # by a person who looked at the photos, at no caption
_QUALITY = 90


@dataclass(frozen=True, slots=True)
class SetPhoto:
    """A photo, what a person says it shows, words of which a right caption has one, and its credit."""

    path: Path
    shows: str
    accepted: frozenset[str]
    author: str
    licence: str
    source: str
    found_in: str

    @property
    def name(self) -> str:
        return self.path.stem


def read_photo_set() -> list[SetPhoto]:
    """All photos of the set, in the order of the catalogues."""
    accepted: dict[str, str] = json.loads(_ACCEPTED.read_text(encoding="utf-8"))
    return [
        SetPhoto(
            path=folder / f"{entry['id']}.jpg",
            accepted=frozenset(accepted[entry["id"]].split()),
            **{field: entry[field] for field in ("shows", "author", "licence", "source", "found_in")},
        )
        for folder, catalogue in _FOLDERS.items()
        for entry in json.loads((folder / catalogue).read_text(encoding="utf-8"))
    ]


def resize(photo: SetPhoto, width: int) -> bytes:
    """The photo as a JPEG of that width, as another program would have scaled it."""
    with Image.open(photo.path) as image:
        height = max(1, round(image.height * width / image.width))
        scaled = image.resize((width, height), Image.Resampling.LANCZOS)
    data = io.BytesIO()
    scaled.save(data, "JPEG", quality=_QUALITY)
    return data.getvalue()
