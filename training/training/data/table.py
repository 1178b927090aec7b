"""Reads text tables of two columns, as people and spreadsheets write them: names of photos and what is said of them.

The columns are separated by a comma, a semicolon or a tab: by whichever stands in the header. A cell in quotes may hold
separators, doubled quotes and line breaks. The second column may also hold commas and quotes as they come: Kaggle's
Flickr8k leaves some unquoted, and a caption may begin with a quoted word.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from training.errors import DatasetError

_SEPARATORS = (",", ";", "\t")
_MAX_CHARACTERS = 10_000  # a longer row is a file whose line breaks were lost, or a quote that was never closed
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')
_OPEN = re.compile(r'"(?:[^"]|"")*')


@dataclass(frozen=True, slots=True)
class Row:
    """A photo's name and what a file says of it; `source` is the place to name in an error: `path, line 3`."""

    photo: str
    text: str
    source: str


def read_text(path: Path) -> str:
    """What a text file holds. Raises DatasetError for one that is missing or no UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DatasetError(f"{path} is missing") from None
    except UnicodeDecodeError as error:
        number = path.read_bytes()[: error.start].count(b"\n") + 1
        raise DatasetError(f"{path}, line {number}: not UTF-8 text; save the file as UTF-8") from error


def read_lines(path: Path) -> Iterator[tuple[str, str]]:
    """The lines that are not blank, each with its place. Raises DatasetError for a file that is missing or no UTF-8."""
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            yield f"{path}, line {number}", line.rstrip("\r")


def read_table(path: Path, header: tuple[str, str]) -> Iterator[Row]:
    """The rows under a header of two named columns. Raises DatasetError, naming file and line."""
    lines = read_lines(path)
    source, first = next(lines, (f"{path}, line 1", ""))
    separator = _find_separator(first, header)
    if separator is None:
        raise DatasetError(f"{source}: expected the header {','.join(header)!r}, also with semicolons or tabs")
    for source, line in lines:
        name, rest = _split(line, separator)
        text = _read_text(rest, separator, source, lines)
        if not (name and text) or (separator == "\t" and "\t" in text):
            raise DatasetError(f"{source}: expected two columns, {separator.join(header)}, but found {line[:60]!r}")
        yield Row(name, text, source)


def _find_separator(line: str, header: tuple[str, str]) -> str | None:
    for separator in _SEPARATORS:
        cells = [cell.strip().strip('"').strip().lower() for cell in line.split(separator)]
        if cells == list(header):
            return separator
    return None


def _split(line: str, separator: str) -> tuple[str, str]:
    """The first cell, out of its quotes, and the rest of the line as it stands, empty where there is no separator."""
    quoted = _QUOTED.match(line)
    if quoted and line[quoted.end() :].lstrip(" ").startswith(separator):
        return _unquote(quoted[1]), line[quoted.end() :].partition(separator)[2].strip()
    name, _, rest = line.partition(separator)
    return name.strip(), rest.strip()


def _read_text(rest: str, separator: str, source: str, lines: Iterator[tuple[str, str]]) -> str:
    """The second cell, in one line. One whose quotes are open goes on in the `lines` that follow."""
    begun = _is_open(rest)
    while _is_open(rest) and len(rest) <= _MAX_CHARACTERS:
        more = next(lines, None)
        if more is None:
            break
        rest = f"{rest} {more[1].strip()}"
    if len(rest) > _MAX_CHARACTERS:
        raise DatasetError(
            f"{source}: longer than {_MAX_CHARACTERS} characters; is a line break missing, or a closing quote?"
        )
    if quoted := _QUOTED.fullmatch(rest):
        return " ".join(_unquote(quoted[1]).splitlines())
    if begun:
        raise DatasetError(f"{source}: a quote is opened and never closed")
    if (quoted := _QUOTED.match(rest)) and re.match(rf"{separator}\S", rest[quoted.end() :]):
        raise DatasetError(f"{source}: expected two columns, but a third follows {quoted[0][:60]}")
    return " ".join(rest.splitlines())


def _is_open(cell: str) -> bool:
    return bool(_OPEN.fullmatch(cell)) and not _QUOTED.fullmatch(cell)


def _unquote(cell: str) -> str:
    return cell.replace('""', '"').strip()
