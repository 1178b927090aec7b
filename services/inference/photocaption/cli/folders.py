"""Lists the photos in and below a folder, and what was left out."""

import errno
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from photocaption.cli.outcome import Outcome, Status

# Of the formats that `image.decode` reads; a test compares.
PHOTO_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".heic", ".heif", ".hif", ".avif", ".gif"}
    | {".avifs", ".bmp", ".dib", ".tif", ".tiff"}
)
_OTHER_SUFFIXES = frozenset(
    {".heics", ".heifs", ".jxl", ".jp2", ".j2k", ".jpx", ".jpf", ".svg", ".psd", ".ico", ".tga"}
    | {".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".raf", ".orf", ".rw2", ".pef", ".raw"}
)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which photos of a folder are wanted.

    `include` and `exclude`: patterns of a shell, compared with the end of the path below the folder; none includes all.
    `newer`: only what was changed later, in seconds since 1970.
    """

    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    newer: float | None = None


@dataclass(slots=True)
class Listing:
    """`photos` in order, each once; `failures`: folders that cannot be read; `left_out`: photos, as far as their names
    tell, that are not read, each with the reason; `unwanted`: how many photos were not chosen."""

    photos: list[str] = field(default_factory=list)
    unwanted: int = 0
    failures: list[Outcome] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)

    def sum_up_left_out(self) -> str:
        """Such as "3 left out (2 .heic, 1 hidden)"; empty where none were."""
        counts = Counter(reason for _, reason in self.left_out)
        kinds = ", ".join(f"{count} {reason}" for reason, count in counts.most_common())
        return f"{len(self.left_out)} left out ({kinds})" if counts else ""


def list_photos(arguments: Sequence[str], choice: Choice) -> Listing:
    """The photos that the arguments name, and those in and below the folders among them, judged by suffix."""
    listing = Listing()
    for argument in arguments:
        if Path(argument).is_dir():
            before = _count_seen(listing)
            _walk(Path(argument), choice, listing)
            if before == _count_seen(listing):
                listing.failures.append(Outcome(argument, Status.FAILED, reason="no photos in this folder"))
        else:
            listing.photos.append(argument)
    listing.photos = list(dict.fromkeys(listing.photos))
    return listing


def _count_seen(listing: Listing) -> int:
    return len(listing.photos) + len(listing.failures) + listing.unwanted


def _walk(root: Path, choice: Choice, listing: Listing) -> None:
    def fail(error: OSError) -> None:
        reason = error.strerror or str(error)
        listing.failures.append(Outcome(str(error.filename), Status.FAILED, reason=reason))

    for folder, folders, files in walk(root, fail):
        folders[:] = sorted(_choose_folders(Path(folder), folders, root, choice, listing))
        for file in sorted(files):
            _add_file(Path(folder, file), root, choice, listing)


def walk(root: Path, fail: Callable[[OSError], None]) -> Iterator[tuple[str, list[str], list[str]]]:
    """As `os.walk`, which fails in Python 3.11 where folders are a thousand deep."""
    waiting = [str(root)]
    while waiting:
        folder = waiting.pop()
        for _, folders, files in islice(os.walk(folder, onerror=fail), 1):
            yield folder, folders, files
            below = [os.path.join(folder, name) for name in reversed(folders)]  # noqa: PTH118  # `/` would drop a `./`
            waiting += [path for path in below if not os.path.islink(path)]  # noqa: PTH114


def _choose_folders(
    parent: Path, folders: Sequence[str], root: Path, choice: Choice, listing: Listing
) -> Iterator[str]:
    for name in folders:
        path = parent / name
        if _matches(path.relative_to(root), choice.exclude):
            continue
        reason = "hidden" if name.startswith(".") else "linked folder" if path.is_symlink() else ""
        if reason:
            listing.left_out.append((str(path), reason))
        else:
            yield name


def _add_file(path: Path, root: Path, choice: Choice, listing: Listing) -> None:
    suffix = path.suffix.lower()
    if suffix not in PHOTO_SUFFIXES | _OTHER_SUFFIXES:
        return
    if not _is_wanted(path, root, choice):
        listing.unwanted += 1
    elif reason := _find_obstacle(path, suffix):
        listing.left_out.append((str(path), reason))
    else:
        listing.photos.append(str(path))


def _find_obstacle(path: Path, suffix: str) -> str:
    """The reason why a photo is left out; empty where there is none."""
    if path.name.startswith("."):
        return "hidden"
    if suffix in _OTHER_SUFFIXES:
        return suffix
    return "no file" if is_special(path) else ""


def is_special(path: Path) -> bool:
    """Whether it is a pipe or the like, which may never end; a dangling link is not."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def read_plain(path: Path) -> bytes:
    """What is in a file. Raises OSError, also for a pipe or the like."""
    if is_special(path):
        raise OSError(errno.EINVAL, "is not a plain file", str(path))
    return path.read_bytes()


def _is_wanted(path: Path, root: Path, choice: Choice) -> bool:
    name = path.relative_to(root)
    included = not choice.include or _matches(name, choice.include)
    if not included or _matches(name, choice.exclude):
        return False
    try:
        return choice.newer is None or path.stat().st_mtime > choice.newer
    except OSError:
        return True


def _matches(path: Path, patterns: Sequence[str]) -> bool:
    return any(path.match(pattern) for pattern in patterns)
