"""A text file beside each photo, of the same stem, with its sentence: what trainers and galleries read."""

from pathlib import Path

from photocaption.caption import Caption
from photocaption.cli.destination import Destination, Existing
from photocaption.cli.folders import read_plain
from photocaption.cli.outcome import Outcome, Status
from photocaption.cli.photo import Photo
from photocaption.cli.replacement import replacing

_ANY_BYTES = "surrogateescape"  # a person's text may be in any encoding


class TextSidecars(Destination):
    """Text files; plain text does not say who wrote it, so what is there is left unless the user asks."""

    def __init__(self, existing: Existing) -> None:
        self._existing = existing

    def find(self, photo: Photo) -> Outcome | None:
        """Kept, where there is a text."""
        kept = self._existing == "skip" and _read(_sidecar_of(photo))
        return Outcome(photo.name, Status.KEPT) if kept else None

    def keep(self, photo: Photo, caption: Caption, _author: str) -> bool:
        """Write the sentence, or add it to what is there."""
        sidecar = _sidecar_of(photo)
        before = _read(sidecar)
        lines = [line for line in before.splitlines() if line] if self._existing == "append" else []
        text = "\n".join(lines if caption.alt_text in lines else [*lines, caption.alt_text]) + "\n"
        if text == before:
            return False
        with replacing(sidecar) as stream:
            stream.write(text.encode(errors=_ANY_BYTES))
        return True


def _sidecar_of(photo: Photo) -> Path:
    return photo.path.with_suffix(".txt")


def _read(sidecar: Path) -> str:
    """What it says; empty where it is not there, or says nothing."""
    try:
        return read_plain(sidecar).decode("utf-8", errors=_ANY_BYTES)
    except FileNotFoundError:
        return ""
