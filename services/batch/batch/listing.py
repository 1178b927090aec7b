"""Files below a folder or of a glob, one folder at a time, with what tells one version of a file from the next."""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pyarrow import fs

from batch.errors import InputError
from batch.storage import is_remote, resolve, to_path, to_uri

_WILD = re.compile(r"[*?\[]")
_PARTS = re.compile(r"\*\*/|\*|\?|\[[^]]+\]|[^*?\[]+|\[")


@dataclass(frozen=True, slots=True)
class File:
    """A plain file; `modified` in nanoseconds."""

    uri: str
    size: int
    modified: int


def is_glob(uri: str) -> bool:
    """Whether a name stands for several files: it has `*`, `?` or `[`, and is not a file of just that name."""
    return bool(_WILD.search(uri)) and (is_remote(uri) or not Path(uri).exists())


def find(uri: str) -> File | None:
    """The file of that name; None where there is a folder. Raises InputError where there is neither."""
    try:
        return _find_remote(uri) if is_remote(uri) else _find_here(to_path(uri))
    except FileNotFoundError as error:
        raise InputError(f"{uri}: no such file or folder") from error
    except (OSError, ValueError) as error:
        raise InputError(_explain(uri, error)) from error


def walk(folder: str) -> Iterator[File]:
    """Every plain file in and below a folder, in the order of their names. Raises InputError."""
    try:
        yield from _walk_remote(folder) if is_remote(folder) else _walk_here(to_path(folder))
    except (OSError, ValueError) as error:
        raise InputError(_explain(folder, error)) from error


def expand(pattern: str) -> Iterator[File]:
    """Every plain file that a glob names; `**/` stands for any number of folders. Raises InputError."""
    here = not is_remote(pattern)
    pattern = to_uri(pattern) if here else pattern
    wild = _WILD.search(pattern)
    folder = pattern[: pattern.rindex("/", 0, wild.start() if wild else None)] or "/"
    wanted = re.compile(translate(pattern))
    return (file for file in walk(folder) if wanted.fullmatch(file.uri))


def translate(pattern: str) -> str:
    """A glob as a regular expression."""
    meanings = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
    return "".join(meanings.get(part) or _translate_part(part) for part in _PARTS.findall(pattern))


def _translate_part(part: str) -> str:
    if not (part.startswith("[") and len(part) > 1):
        return re.escape(part)
    inside = part[1:-1].replace("\\", r"\\")
    return f"[^{inside[1:]}]" if inside.startswith("!") else f"[{inside}]"


def _find_here(path: str) -> File | None:
    status = Path(path).stat()
    if stat.S_ISDIR(status.st_mode):
        return None
    if not stat.S_ISREG(status.st_mode):
        raise OSError("not a plain file")
    return File(to_uri(path), status.st_size, status.st_mtime_ns)


def _find_remote(uri: str) -> File | None:
    system, path = resolve(uri)
    info = system.get_file_info(path)
    if info.type == fs.FileType.NotFound:
        raise FileNotFoundError
    return None if info.type == fs.FileType.Directory else File(uri, info.size, info.mtime_ns or 0)


def _explain(place: str, error: Exception) -> str:
    """`place`: where no other is known. pyarrow says ValueError of a URI that it does not understand."""
    if isinstance(error, OSError):
        return f"{error.filename or place}: {error.strerror or error}"
    return f"{place}: {' '.join(str(error).split())}"


def _walk_here(folder: str) -> Iterator[File]:
    """In order; folders may be deeper than functions can be called in each other."""
    begun = [_list_entries(folder)]
    while begun:
        entry = next(begun[-1], None)
        if entry is None:
            begun.pop()
        elif entry.is_dir(follow_symlinks=False):
            begun.append(_list_entries(entry.path))
        elif stat.S_ISREG((status := _stat(entry)).st_mode):
            yield File(to_uri(entry.path), status.st_size, status.st_mtime_ns)


def _list_entries(folder: str) -> "Iterator[os.DirEntry[str]]":
    with os.scandir(folder) as found:
        return iter(sorted(found, key=lambda entry: entry.name))


def _stat(entry: "os.DirEntry[str]") -> os.stat_result:
    try:
        return entry.stat()
    except OSError:  # a link to nowhere
        return entry.stat(follow_symlinks=False)


def _walk_remote(folder: str) -> Iterator[File]:
    system, path = resolve(folder)
    scheme = folder.partition("://")[0]
    for info in sorted(system.get_file_info(fs.FileSelector(path)), key=lambda info: info.path):
        uri = f"{scheme}://{info.path}"
        if info.type == fs.FileType.Directory:
            yield from _walk_remote(uri)
        elif info.type == fs.FileType.File:
            yield File(uri, info.size, info.mtime_ns or 0)
