"""Captions many photos, several at a time and in their order, and loads the model once one of them needs it.

    name ──read──▶ bytes, hash ──known?──▶ decode, in a process of its own ──▶ encode, search ──▶ outcome

Each of as many threads as there are cores takes a photo through all of this.
"""

import errno
import hashlib
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

from inference.caption import CaptionOptions
from inference.captioner import Captioner, RuntimeName
from inference.cli.outcome import Outcome, Status
from inference.errors import DeadlineExceededError, DecoderError, ImageError
from inference.image.decode import ImageLimits
from inference.image.pool import DecodePool

STDIN = "-"

# A photo of the largest size that is read takes a few seconds on a slow machine. What takes longer is no photo.
_PHOTO_SECONDS = 20.0
_DEADLINE_SECONDS = 120.0
_MOST_BYTES = 512 * 2**20

Known = Callable[[str, str], Outcome | None]


class Model:
    """A captioner that is loaded when a photo first needs it: a run that finds all done does without. Open it with
    `with`; threads may share it."""

    def __init__(self, bundle: Path | None, runtime: RuntimeName, at_once: int, *, guarded: bool) -> None:
        """`at_once`: how many photos are captioned at a time; `guarded`: one that breaks its decoder breaks no more."""
        self._bundle = bundle
        self._runtime = runtime
        self._at_once = at_once
        self._guarded = guarded
        self._open = ExitStack()
        self._lock = Lock()
        self._captioner: Captioner | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open.close()

    def load(self) -> Captioner:
        """The captioner. Raises BundleError."""
        with self._lock:
            if self._captioner is None:
                self._captioner = self._load()
            return self._captioner

    def _load(self) -> Captioner:
        if not self._guarded:
            return Captioner.load(self._bundle, runtime=self._runtime)
        pool = DecodePool(
            self._at_once,
            ImageLimits(),
            photo_seconds=_PHOTO_SECONDS,
            deadline_seconds=_DEADLINE_SECONDS,
            max_bytes=_MOST_BYTES,
        )
        decode = self._open.enter_context(pool).decode
        return Captioner.load(self._bundle, runtime=self._runtime, callers=self._at_once, decode=decode)


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done with a photo: `known` says what it came to before, by its name and the hash of its bytes."""

    model: Model
    options: CaptionOptions
    known: Known
    min_confidence: float
    crowded: bool

    def caption(self, name: str) -> Outcome:
        """What becomes of the photo. Raises BundleError."""
        try:
            data = _read(name)
        except OSError as error:
            return Outcome(name, Status.FAILED, reason=error.strerror or str(error))
        sha256 = hashlib.sha256(data).hexdigest()
        return self.known(name, sha256) or self._caption(name, data, sha256)

    def _caption(self, name: str, data: bytes, sha256: str) -> Outcome:
        captioner = self.model.load()
        try:
            prepared = captioner.prepare(data, sha256)
        except (ImageError, DecoderError, DeadlineExceededError) as error:
            return Outcome(name, Status.FAILED, sha256, reason=str(error))
        del data
        (caption,) = captioner.describe([prepared], self.options, crowded=self.crowded)
        if caption.confidence < self.min_confidence:
            reason = f"unsure ({caption.confidence:.2f}): {caption.alt_text}"
            return Outcome(name, Status.UNSURE, sha256, reason=reason, confidence=caption.confidence)
        return Outcome(name, Status.CAPTIONED, sha256, caption, confidence=caption.confidence)


def examine_photo(known: Known, name: str) -> Outcome:
    """What became of the photo before, or that it is still to be captioned."""
    try:
        data = _read(name) if name != STDIN else b""
    except OSError as error:
        return Outcome(name, Status.FAILED, reason=error.strerror or str(error))
    return known(name, hashlib.sha256(data).hexdigest()) or Outcome(name, Status.WANTED)


def map_in_order(work: Callable[[str], Outcome], names: Iterable[str], at_once: int) -> Iterator[Outcome]:
    """What `work` makes of each name, in their order; `at_once` of them are worked on, and few are done and waiting."""
    waiting: deque[Future[Outcome]] = deque()
    with ThreadPoolExecutor(at_once) as pool:
        try:
            for name in names:
                waiting.append(pool.submit(work, name))
                if len(waiting) > 4 * at_once:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _read(name: str) -> bytes:
    with nullcontext(sys.stdin.buffer) if name == STDIN else Path(name).open("rb") as stream:
        data = stream.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), name)
    return data
