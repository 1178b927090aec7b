"""A text file beside each photo, of the same stem, with its sentence: what trainers and galleries read."""

import os
import tempfile
from pathlib import Path
from typing import Literal

Existing = Literal["skip", "replace", "append"]
EXISTING: tuple[Existing, ...] = ("skip", "replace", "append")


def sidecar_of(photo: str) -> Path:
    """Where the text about a photo goes."""
    return Path(photo).with_suffix(".txt")


def is_described(photo: str) -> bool:
    """Whether there is a text about the photo already."""
    sidecar = sidecar_of(photo)
    return sidecar.is_file() and sidecar.stat().st_size > 0


def write_sidecar(photo: str, sentence: str, existing: Existing) -> None:
    """Write the text about a photo, whole or not at all; with `append`, after what is there. Raises OSError."""
    sidecar = sidecar_of(photo)
    before = sidecar.read_text(encoding="utf-8") if existing == "append" and sidecar.is_file() else ""
    if before and not before.endswith("\n"):
        before += "\n"
    replace_file(sidecar, f"{before}{sentence}\n")


def replace_file(path: Path, text: str) -> None:
    """Put `text` into the place of what `path` holds, in one step. Raises OSError."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            os.fchmod(descriptor, path.stat().st_mode & 0o777 if path.exists() else 0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
