"""Uploaded photos: bytes with a name that is only shown, never opened."""

import base64
from dataclasses import dataclass
from pathlib import PurePosixPath

from flask import Request

_MAX_NAME_LENGTH = 120
# What browsers can show, by the first bytes; the type that came with the upload is not to be trusted.
_SIGNATURES = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
)


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo that arrived: `name` is the last part of the file's name, fit for showing, never for opening."""

    name: str
    data: bytes

    @property
    def media_type(self) -> str | None:
        """Type by content, for the formats that every browser shows; None for anything else."""
        if self.data[:4] == b"RIFF" and self.data[8:12] == b"WEBP":
            return "image/webp"
        if self.data[4:12] == b"ftypavif":
            return "image/avif"
        return next((kind for signature, kind in _SIGNATURES if self.data.startswith(signature)), None)

    @property
    def data_url(self) -> str | None:
        """The photo as part of the page itself, so that nothing has to be stored; None if browsers can't show it."""
        if self.media_type is None:
            return None
        return f"data:{self.media_type};base64,{base64.b64encode(self.data).decode('ascii')}"


def clean_name(name: str | None) -> str:
    """The last part of a path from any system, shortened; `photo` when there is none."""
    last = PurePosixPath((name or "").replace("\\", "/")).name
    return "".join(letter for letter in last if letter.isprintable())[:_MAX_NAME_LENGTH] or "photo"


def read_form_photos(request: Request) -> list[Photo]:
    """The photos of a form's `photo` fields, in order; fields left empty are skipped."""
    files = request.files.getlist("photo")
    return [Photo(clean_name(file.filename), file.read()) for file in files if file.filename]
