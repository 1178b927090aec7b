"""The description in a photo's own metadata, or in an XMP file beside it, where photo libraries look for it.

Written are XMP's `dc:description` and `Iptc4xmpCore:AltTextAccessibility`, EXIF's `ImageDescription` where the format
has EXIF, and IPTC's `Caption-Abstract` where the photo has IPTC already. `photoshop:CaptionWriter`, which the IPTC
standard defines for the author of the description, names the model and ends with a digest of the text: a text that a
person has changed is no longer ours.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from photocaption.caption import Caption
from photocaption.cli.destination import Destination, Existing
from photocaption.cli.exiftool import ExifTool, ExifTools
from photocaption.cli.folders import read_plain
from photocaption.cli.outcome import Outcome, Status
from photocaption.cli.photo import Photo
from photocaption.cli.replacement import replacing

_MARK = "image-caption:"
_DESCRIPTION = "XMP-dc:Description"
_ALT_TEXT = "XMP-iptcCore:AltTextAccessibility"
_WRITER = "XMP-photoshop:CaptionWriter"
_EXIF = "IFD0:ImageDescription"
_IPTC = "IPTC:Caption-Abstract"
_TYPE = "File:MIMEType"
_READ = (_DESCRIPTION, _ALT_TEXT, _WRITER, _EXIF, "IPTC:all", _TYPE)
_DEFAULT_LANGUAGE = "-x-default"  # leaves other languages as they are
# Texts that cameras write as a description.
_FILLERS = ("olympus digital camera", "konica minolta digital camera", "minolta digital camera", "sony dsc", "dcim\\")


@dataclass(frozen=True, slots=True)
class _Known:
    """The descriptions in a file: the first `text` found, and whether it is an unchanged caption of this program."""

    text: str
    alt_text: str
    is_ours: bool
    has_iptc: bool


class Metadata(Destination):
    """The photos themselves, or XMP files beside them."""

    def __init__(self, tools: ExifTools, existing: Existing, *, beside: bool) -> None:
        """`beside`: into `photo.jpg.xmp` instead of `photo.jpg`."""
        self._tools = tools
        self._existing = existing
        self._beside = beside

    def find(self, photo: Photo) -> Outcome | None:
        """Kept, where there is a text that is to stay."""
        if self._existing not in {"skip", "renew"}:
            return None
        data = self._read(photo)
        ours = _MARK.encode() in data
        if not data or (ours and self._existing == "renew"):
            return None
        if not ours:
            with self._copy(data) as (tool, copy):
                if not _read_known(tool, copy).text:
                    return None
        return Outcome(photo.name, Status.KEPT)

    def keep(self, photo: Photo, caption: Caption, author: str) -> bool:
        """Write the sentence, unless what is there is to stay or says the same."""
        data = self._read(photo)
        with self._copy(data) as (tool, copy):
            values = _compose(_read_known(tool, copy), caption.alt_text, author, self._existing)
            if values:
                tool.write(copy, values)
                with replacing(self._target(photo), keep_time=not self._beside) as stream:
                    stream.write(copy.read_bytes())
        return bool(values)

    def _target(self, photo: Photo) -> Path:
        return photo.path.with_name(f"{photo.path.name}.xmp") if self._beside else photo.path

    def _read(self, photo: Photo) -> bytes:
        if not self._beside:
            return photo.data
        try:
            return read_plain(self._target(photo))
        except FileNotFoundError:
            return b""

    @contextmanager
    def _copy(self, data: bytes) -> Iterator[tuple[ExifTool, Path]]:
        """What is in the file, where ExifTool may have it; nothing where there is nothing."""
        with self._tools.take() as tool:
            copy = tool.folder / ("copy.xmp" if self._beside else "copy")  # a photo's suffix may be another format's
            copy.unlink(missing_ok=True)
            if data:
                copy.write_bytes(data)
            yield tool, copy


def _read_known(tool: ExifTool, copy: Path) -> _Known:
    """The descriptions in the file, if there is one. Raises OSError, also where ExifTool takes a HEIC or AVIF for a
    film, because of a brand that it does not know: it would write the description where no program reads it.
    """
    values = tool.read(copy, _READ) if copy.exists() else {}
    if values.get(_TYPE, "").startswith("video/"):
        raise OSError(None, "its metadata cannot be written: ExifTool takes it for a film", str(copy))
    texts = [values.get(tag, "").strip() for tag in (_DESCRIPTION, _IPTC, _EXIF, _ALT_TEXT)]
    texts = [text for text in texts if text and not text.lower().startswith(_FILLERS)]
    text = texts[0] if texts else ""
    return _Known(
        text,
        alt_text=values.get(_ALT_TEXT, ""),
        is_ours=values.get(_WRITER, "").startswith(_MARK) and values[_WRITER].endswith(_digest(text)),
        has_iptc=any(name.startswith("IPTC:") for name in values),
    )


def _compose(known: _Known, sentence: str, author: str, existing: Existing) -> dict[str, str]:
    """The tags to set; none where the text that is there stays."""
    theirs = "" if known.is_ours or existing == "replace" else known.text
    if known.text == sentence or (theirs and (existing != "append" or theirs.endswith(sentence))):
        return {}
    text = f"{theirs} {sentence}".strip()
    values = {_DESCRIPTION + _DEFAULT_LANGUAGE: text, _EXIF: text}
    if known.has_iptc:
        values[_IPTC] = text
    if not theirs:
        values[_WRITER] = f"{_MARK}{author} {_digest(text)}"
    if not (theirs and known.alt_text):
        values[_ALT_TEXT + _DEFAULT_LANGUAGE] = sentence
    return values


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
