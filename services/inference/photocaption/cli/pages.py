"""HTML pages: finds images without an `alt`, and inserts it without other changes.

`alt=""` says that an image is only decoration, and stays; so does one that is hidden from screen readers, or named for
them by other means.
"""

import os
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes, urljoin, urlsplit

from photocaption.cli.folders import is_special, read_plain

MAX_CHARACTERS = 125  # after which some screen readers stop

_NAMED = ("alt", "aria-label", "aria-labelledby")
_ANY_BYTES = "surrogateescape"  # only tags are parsed; other bytes are written as they were read


@dataclass(frozen=True, slots=True)
class Gap:
    """An image without `alt`: where its text belongs in the page, its address, and its file if the site has it."""

    offset: int
    source: str
    file: Path | None


class Page:
    """An HTML page and the images in it that lack an `alt`."""

    def __init__(self, site: Path, path: Path) -> None:
        """Read the page at `path` of `site`. Raises OSError."""
        self.path = path
        self._text = read_plain(path).decode("utf-8", _ANY_BYTES)
        base = quote(os.fsencode("/" / path.relative_to(site)))
        self.gaps: Sequence[Gap] = _Reader(self._text, site, base).gaps

    def fill(self, texts: Mapping[Path, str]) -> bytes:
        """The page with these texts for the images that have one."""
        pieces = []
        begin = 0
        for gap in self.gaps:
            if gap.file and gap.file in texts:
                pieces += [self._text[begin : gap.offset], f' alt="{escape(shorten(texts[gap.file]))}"']
                begin = gap.offset
        return "".join([*pieces, self._text[begin:]]).encode("utf-8", _ANY_BYTES)


def shorten(text: str) -> str:
    """The text, or as many of its words as an `alt` should have."""
    if len(text) <= MAX_CHARACTERS:
        return text
    return text[:MAX_CHARACTERS].rpartition(" ")[0] + "…"


class _Reader(HTMLParser):
    def __init__(self, text: str, site: Path, base: str) -> None:
        super().__init__()
        self.gaps: list[Gap] = []
        self._site = site
        self._base = base
        self._lines = [0, *(number + 1 for number, letter in enumerate(text) if letter == "\n")]
        self.feed(text)  # and no `close`, which would look for tags in what is never closed, again and again

    def parse_marked_section(self, i: int, report: int = 1) -> int:  # noqa: ARG002
        """Pass over `<![…>` as browsers do; the base class raises AssertionError for most of what may be in it."""
        return self.parse_bogus_comment(i)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in reversed(attrs)}  # of two with one name, the first counts
        if tag == "base" and "href" in values:
            self._base = urljoin(self._base, values["href"])
        if tag == "img" and not any(name in values for name in _NAMED) and not _is_decoration(values):
            line, column = self.getpos()
            source = values.get("src", "")
            offset = self._lines[line - 1] + column + len("<img")
            self.gaps.append(Gap(offset, source, self._find(source)))

    def _find(self, source: str) -> Path | None:
        """The file of the site that the address names. Nothing is ever fetched from elsewhere."""
        try:
            address = urlsplit(urljoin(self._base, source.strip()))
        except ValueError:
            return None
        if address.scheme or address.netloc or not source.strip():
            return None
        name = posixpath.normpath("/" + os.fsdecode(unquote_to_bytes(address.path)))
        file = self._site / name.lstrip("/")
        return None if "\0" in name or is_special(file) else file


def _is_decoration(values: Mapping[str, str]) -> bool:
    return values.get("role") in {"presentation", "none"} or values.get("aria-hidden") == "true"
