"""Publishes a bundle: it appears whole under its name, or not at all.

Everything is written into a temporary sibling of the target and flushed to disk, the manifest last; then the sibling is
loaded as serving would load it, and takes the target's place by renaming. Whatever stops this, the old bundle stays as
it was.
"""

import ctypes
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from photocaption.errors import BundleError
from photocaption.model.bundle import digest_files, load_bundle
from photocaption.model.manifest import MANIFEST_NAME, Manifest
from training.errors import PublishingError

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


@contextmanager
def staging(target: Path) -> Iterator[Path]:
    """An empty folder beside the target to build a bundle in; it is gone afterwards, published or not."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise PublishingError(f"cannot write to {target.parent}: {error.strerror}") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a manifest that lists all files of a folder with their hashes; `manifest.files` is replaced."""
    complete = manifest.model_copy(update={"files": digest_files(folder)})
    (folder / MANIFEST_NAME).write_text(complete.model_dump_json(indent=2) + "\n", encoding="utf-8")


def publish(folder: Path, target: Path) -> None:
    """Verify the bundle in `folder` and put it in the target's place.

    Raises:
        PublishingError: the bundle does not load, or the disk refuses; the target is as it was.
    """
    try:
        load_bundle(folder)
        _flush(folder)
        _swap(folder, target)
    except (BundleError, OSError) as error:
        raise PublishingError(f"the bundle was not published to {target}: {error}") from error


def _flush(folder: Path) -> None:
    """Have the disk hold every file and folder before the rename makes them visible."""
    for path in [*folder.rglob("*"), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _swap(folder: Path, target: Path) -> None:
    """Put a folder in another's place. The two are exchanged in one step where the system can; the old one goes with
    the staging.
    """
    folder.chmod(0o755)
    if not target.exists():
        folder.rename(target)
    elif not _exchange(folder, target):
        _swap_in_steps(folder, target)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names by Linux's renameat2; False where the system has no such call."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    result: int = renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    return result == 0


def _swap_in_steps(folder: Path, target: Path) -> None:
    """The old bundle steps aside, and comes back when the new one cannot take its place."""
    aside = target.with_name(f".{target.name}-old-{os.getpid()}")
    target.rename(aside)
    try:
        folder.rename(target)
    except OSError:
        aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)
