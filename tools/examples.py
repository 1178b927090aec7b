"""Adds a photo to the strip of examples: makes both sizes without metadata, notes the credit, rewrites SOURCES.md.

    make example EXAMPLE_ARGS='photo.png --id dog --shows "A dog on a path" --author "…" --licence "CC0 1.0"
        --source https://… --found-in "…"'

Only photos that may be redistributed belong there. An id that exists is replaced where it stands.
"""

import argparse
import io
import json
from pathlib import Path
from typing import Any

from PIL import Image
from repository import EXAMPLES

CATALOGUE = EXAMPLES / "examples.json"
SIDE_PIXELS = 1000
SMALL_SIZE = (240, 180)
MAX_BYTES = 120_000
SMALL_QUALITY = 78


def main() -> None:
    """Add or replace the photo that the arguments describe."""
    arguments = _parse_arguments()
    with Image.open(arguments.photo) as original:
        photo = original.convert("RGB")
    photo.thumbnail((SIDE_PIXELS, SIDE_PIXELS), Image.Resampling.LANCZOS)
    (EXAMPLES / f"{arguments.id}.jpg").write_bytes(_encode_small_enough(photo))
    (EXAMPLES / f"{arguments.id}-small.jpg").write_bytes(_encode(_crop_small(photo), SMALL_QUALITY))
    entry = {
        "id": arguments.id, "shows": arguments.shows, "width": photo.width, "height": photo.height,
        "author": arguments.author, "licence": arguments.licence, "source": arguments.source,
        "found_in": arguments.found_in,
    }  # fmt: skip
    _write_catalogue(_merge(json.loads(CATALOGUE.read_text()) if CATALOGUE.exists() else [], entry))


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Add a photo to the strip of examples.")
    parser.add_argument("photo", type=Path)
    for name in ("id", "shows", "author", "licence", "source", "found-in"):
        parser.add_argument(f"--{name}", required=True)
    return parser.parse_args()


def _encode_small_enough(photo: Image.Image) -> bytes:
    for quality in range(88, 40, -4):
        data = _encode(photo, quality)
        if len(data) <= MAX_BYTES:
            return data
    message = f"even at low quality the photo has more than {MAX_BYTES} bytes"
    raise SystemExit(message)


def _encode(photo: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", quality=quality, optimize=True, progressive=True)
    return buffer.getvalue()


def _crop_small(photo: Image.Image) -> Image.Image:
    """The middle of the photo in the strip's shape."""
    width, height = SMALL_SIZE
    scale = max(width / photo.width, height / photo.height)
    small = photo.resize((round(photo.width * scale), round(photo.height * scale)), Image.Resampling.LANCZOS)
    left, top = (small.width - width) // 2, (small.height - height) // 2
    return small.crop((left, top, left + width, top + height))


def _merge(catalogue: list[dict[str, Any]], entry: dict[str, Any]) -> list[dict[str, Any]]:
    if any(old["id"] == entry["id"] for old in catalogue):
        return [entry if old["id"] == entry["id"] else old for old in catalogue]
    return [*catalogue, entry]


def _write_catalogue(catalogue: list[dict[str, Any]]) -> None:
    CATALOGUE.write_text(json.dumps(catalogue, indent=2, ensure_ascii=False) + "\n")
    rows = [
        f"| `{photo['id']}.jpg` | {photo['shows']} | {photo['author']} | {photo['licence']} | {photo['source']} | "
        f"{photo['found_in']} |"
        for photo in catalogue
    ]
    heading = "# Example photos\n\nScaled down, and cropped for the strip, from these originals.\n\n"
    table = "| file | shows | author | licence | original | taken from |\n|---|---|---|---|---|---|\n"
    (EXAMPLES / "SOURCES.md").write_text(heading + table + "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
