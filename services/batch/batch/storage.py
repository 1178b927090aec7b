"""Where photos come from and rows go: a folder of this machine, or whatever pyarrow has a file system for (S3, GCS, …).

A place is named by a path, or by a URI such as `s3://bucket/photos`. Nothing in a URI is decoded, so that the key of an
object may hold anything; only `file:` is, which is how a local name is written that is not UTF-8.
"""

import contextlib
import io
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import unquote_to_bytes, urlsplit

import pyarrow as pa
from pyarrow import fs

_FILE = "file://"
_AHEAD = 4 * 2**20


def is_remote(uri: str) -> bool:
    """Whether it is no path of this machine."""
    return "://" in uri and not uri.startswith(_FILE)


def to_uri(path: str) -> str:
    """The name of a local file in manifests and rows: its absolute path, as a `file:` URI where that is not UTF-8."""
    absolute = os.path.abspath(path)  # noqa: PTH100  # no symbolic link is followed
    try:
        absolute.encode()
    except UnicodeEncodeError:
        return Path(absolute).as_uri()
    return absolute


def resolve(uri: str) -> tuple[fs.FileSystem, str]:
    """The file system of a URI or path, and its path there. Raises OSError and ValueError."""
    if not is_remote(uri):
        return fs.LocalFileSystem(), to_path(uri)
    scheme, _, path = uri.partition("://")
    return _open_file_system(scheme, urlsplit(uri).netloc), path


def to_path(uri: str) -> str:
    """The local path that `to_uri` named, or a path as it is."""
    return os.fsdecode(unquote_to_bytes(uri.removeprefix(_FILE))) if uri.startswith(_FILE) else uri


def join(folder: str, name: str) -> str:
    """The place of a name in a folder."""
    return f"{folder.rstrip('/')}/{name}"


def exists(uri: str) -> bool:
    """Whether there is a file."""
    system, path = resolve(uri)
    return bool(system.get_file_info(path).type == fs.FileType.File)


def list_names(folder: str) -> list[str]:
    """The names of the files in a folder, sorted; of a folder that is not there, none."""
    system, path = resolve(folder)
    selector = fs.FileSelector(path, allow_not_found=True)
    return sorted(info.base_name for info in system.get_file_info(selector) if info.type == fs.FileType.File)


def list_folders(folder: str) -> list[str]:
    """The names of the folders in a folder, sorted."""
    system, path = resolve(folder)
    selector = fs.FileSelector(path, allow_not_found=True)
    return sorted(info.base_name for info in system.get_file_info(selector) if info.type == fs.FileType.Directory)


def read(uri: str, most: int) -> bytes:
    """The bytes of a file, and one more than `most` at most. Raises OSError."""
    if not is_remote(uri):  # opened here, where a name need not be UTF-8
        with Path(to_path(uri)).open("rb") as stream:
            # Python gets memory for as much as it is to read, and for 32 MB the kernel maps it anew for each file.
            size = os.fstat(stream.fileno()).st_size
            data = stream.read(min(most, size) + 1)
            return data + stream.read(most + 1 - len(data)) if len(data) > size else data
    system, path = resolve(uri)
    with system.open_input_stream(path, compression=None) as stream:
        return bytes(stream.read(most + 1))


def open_file(uri: str) -> pa.NativeFile:
    """A file to seek in. Raises OSError."""
    system, path = resolve(uri)
    return system.open_input_file(path)


def open_ahead(uri: str) -> BinaryIO:
    """A file to read from front to back, more of it at a time than is asked for. Raises OSError."""
    if not is_remote(uri):
        return Path(to_path(uri)).open("rb")
    return cast("BinaryIO", io.BufferedReader(open_file(uri), _AHEAD))


def publish(uri: str, data: bytes | pa.Buffer) -> None:
    """Write a file that appears whole or not at all, with its folder where that is missing. Raises OSError.

    An object store shows an object once all of it has come. A folder gets the file under a hidden name, and then under
    its own.
    """
    system, path = resolve(uri)
    if is_remote(uri):
        with system.open_output_stream(path) as stream:
            stream.write(data)
        return
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _hidden_beside(target) as hidden:
        _write_through(hidden, data)
        hidden.replace(target)
    _sync_folder(target.parent)


@contextlib.contextmanager
def _hidden_beside(target: Path) -> Iterator[Path]:
    hidden = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        yield hidden
    finally:
        hidden.unlink(missing_ok=True)


def _write_through(path: Path, data: bytes | pa.Buffer) -> None:
    with path.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@cache
def _open_file_system(scheme: str, bucket: str) -> fs.FileSystem:
    system, _ = fs.FileSystem.from_uri(f"{scheme}://{bucket}")
    return system
