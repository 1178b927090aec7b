"""Atomic replacement of files."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_OPEN = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def replacing(path: Path, *, keep_time: bool = False) -> Iterator[BinaryIO]:
    """An empty file that takes the place of `path`, with its owner and permissions, when the block ends well.

    `keep_time`: keep the modification time. The temporary file of a run that was killed is used again. Raises OSError,
    such as where another run writes the same file.
    """
    target = path.resolve()
    part = target.with_name(f".{target.name}.part")
    with _open_alone(part, path) as stream:
        try:
            yield stream
            stream.flush()
            if target.exists():
                _copy_attributes(stream, target, keep_time=keep_time)
            os.fsync(stream.fileno())
            part.replace(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def _copy_attributes(stream: BinaryIO, target: Path, *, keep_time: bool) -> None:
    before = target.stat()
    with suppress(PermissionError):  # only root gives files away
        os.fchown(stream.fileno(), before.st_uid, before.st_gid)
    os.fchmod(stream.fileno(), before.st_mode & 0o7777)
    if keep_time:
        os.utime(stream.fileno(), ns=(before.st_atime_ns, before.st_mtime_ns))


def lock(stream: BinaryIO, path: Path) -> None:
    """Keep other runs from the file for as long as it is open. Raises OSError, on `path`, where another has it."""
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OSError(error.errno, "another run is writing to it", str(path)) from None


def _open_alone(part: Path, path: Path) -> BinaryIO:
    """The temporary file, locked and emptied; before it is locked, another run may have renamed it."""
    while True:
        try:
            stream = os.fdopen(os.open(part, _OPEN, 0o666), "r+b")
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from None
        with ExitStack() as otherwise:
            otherwise.callback(stream.close)
            lock(stream, path)
            if _is_still(part, stream):
                stream.truncate()
                otherwise.pop_all()
                return stream


def _is_still(path: Path, stream: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(follow_symlinks=False), os.fstat(stream.fileno()))
    except FileNotFoundError:
        return False
