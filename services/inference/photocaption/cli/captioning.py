"""Captions many photos, several at a time and in their order, and loads the model once one of them needs it.

    name ──there already?──▶ decode, in a process of its own ──▶ encode, search ──▶ its destination

Each of as many threads as there are cores takes a few photos through all of this, which the model sees together.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Self

from photocaption.caption import Caption, CaptionOptions, PreparedImage
from photocaption.captioner import Captioner
from photocaption.cli.destination import Destination
from photocaption.cli.outcome import Outcome, Status
from photocaption.cli.photo import MAX_BYTES, Photo
from photocaption.errors import DeadlineExceededError, ImageDecoderError, ImageError
from photocaption.image.decode import ImageLimits
from photocaption.image.pool import DecodePool
from photocaption.model.cpu import count_cores
from photocaption.model.runtime import RuntimeName

# Starting the decoding processes takes as long as a few photos, and a short run that crashes is soon repeated.
_MAX_UNGUARDED = 8

# The largest photos take a few seconds on a slow machine.
_PHOTO_SECONDS = 20.0
_DEADLINE_SECONDS = 120.0
Work = Callable[[Sequence[str]], list[Outcome]]

_TOGETHER = 4  # photos; more are hardly faster (docs/benchmarks.md, "Batches")


class Model:
    """A captioner that is loaded for the first photo that needs it. Open it with `with`; threads may share it.

    `at_once`: how many photos are captioned at the same time.
    """

    def __init__(self, bundle: Path | None, runtime: RuntimeName, photos: int) -> None:
        """`photos`: how many there are; more than a few are decoded in processes, which may crash."""
        self.at_once = min(count_cores(), max(1, photos))
        self._bundle = bundle
        self._runtime = runtime
        self._guarded = photos > _MAX_UNGUARDED
        self._open = ExitStack()
        self._lock = Lock()
        self._captioner: Captioner | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
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
            self.at_once,
            ImageLimits(),
            decode_seconds=_PHOTO_SECONDS,
            deadline_seconds=_DEADLINE_SECONDS,
            max_bytes=MAX_BYTES,
        )
        decode = self._open.enter_context(pool).decode
        return Captioner.load(self._bundle, runtime=self._runtime, workers=self.at_once, decode=decode)


@dataclass(frozen=True, slots=True)
class Task:
    """The work on each photo: how it is captioned, and where the caption goes."""

    model: Model
    options: CaptionOptions
    destination: Destination
    min_confidence: float = 0.0

    def caption(self, names: Sequence[str]) -> list[Outcome]:
        """Caption these photos as one batch; their outcomes. Raises BundleError."""
        found = [self._prepare(name) for name in names]
        prepared = [image for image in found if not isinstance(image, Outcome)]
        concurrent = self.model.at_once > 1
        captions = iter(self.model.load().describe(prepared, self.options, concurrent=concurrent) if prepared else ())
        return [
            outcome if isinstance(outcome, Outcome) else self._keep(name, next(captions))
            for name, outcome in zip(names, found, strict=True)
        ]

    def examine(self, names: Sequence[str]) -> list[Outcome]:
        """The outcomes of these photos in earlier runs, or that they are to be captioned."""
        return [self._find(Photo(name)) or Outcome(name, Status.WANTED) for name in names]

    def _find(self, photo: Photo) -> Outcome | None:
        try:
            return self.destination.find(photo)
        except OSError as error:
            return _fail(photo.name, error)

    def _prepare(self, name: str) -> Outcome | PreparedImage:
        photo = Photo(name)
        if outcome := self._find(photo):
            return outcome
        try:
            data = photo.data
        except OSError as error:
            return _fail(name, error)
        try:
            return self.model.load().prepare(data, photo.sha256)
        except (ImageError, ImageDecoderError, DeadlineExceededError) as error:
            return Outcome(name, Status.FAILED, photo.sha256, reason=str(error))

    def _keep(self, name: str, caption: Caption) -> Outcome:
        sha256 = caption.image.sha256
        if caption.confidence < self.min_confidence:
            reason = f"unsure ({caption.confidence:.2f}): {caption.alt_text}"
            return Outcome(name, Status.UNSURE, sha256, reason=reason, confidence=caption.confidence)
        manifest = self.model.load().bundle.manifest
        try:
            kept = self.destination.keep(Photo(name), caption, f"{manifest.name} {manifest.version}")
        except OSError as error:
            return _fail(name, error)
        return Outcome(name, Status.CAPTIONED, sha256, caption) if kept else Outcome(name, Status.KEPT, sha256)


def map_in_order(work: Work, names: Sequence[str], at_once: int) -> Iterator[Outcome]:
    """The outcomes of `work` in the order of the names, by `at_once` threads; few are computed ahead."""
    size = _TOGETHER if len(names) >= 4 * _TOGETHER * at_once else 1  # so that all threads end at about the same time
    waiting: deque[Future[list[Outcome]]] = deque()
    with ThreadPoolExecutor(at_once) as pool:
        try:
            for first in range(0, len(names), size):
                waiting.append(pool.submit(work, names[first : first + size]))
                if len(waiting) > 4 * at_once:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _fail(name: str, error: OSError) -> Outcome:
    return Outcome(name, Status.FAILED, reason=error.strerror or str(error))
