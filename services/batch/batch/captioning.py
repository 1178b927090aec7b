"""From photos of a manifest to rows: the next photos are read and decoded while the model describes these.

    photos ──read, decode: threads, the service's processes──▶ prepared ──Captioner.describe, by batches──▶ rows

In memory are two batches of photos at a time, whatever there is to do.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from time import perf_counter

from batch.outcome import FAILURES, name_failure
from batch.photo import Photo
from batch.reading import Load, Reader
from batch.row import Row, Source, write_caption, write_failure
from photocaption.caption import PreparedImage
from photocaption.captioner import Captioner

BATCH_SIZE = 16


@dataclass(frozen=True, slots=True)
class _Tried:
    """A photo that is ready for the model, or what keeps it from that."""

    photo: Photo
    outcome: PreparedImage | Exception
    milliseconds: float


def caption_photos(
    captioner: Captioner, photos: Iterable[Photo], reader: Reader, source: Source, *, threads: int
) -> Iterator[Row]:
    """A row for each photo, in their order; `threads`: photos read and decoded at the same time."""
    waiting = iter(photos)

    def start(pool: ThreadPoolExecutor) -> list["Future[_Tried]"]:
        return [pool.submit(_try, captioner, photo, reader.find(photo)) for photo in islice(waiting, BATCH_SIZE)]

    with ThreadPoolExecutor(threads, thread_name_prefix="prepare") as pool:
        ahead = start(pool)
        while ahead:
            batch, ahead = ahead, start(pool)
            yield from _describe(captioner, [future.result() for future in batch], source)


def _try(captioner: Captioner, photo: Photo, load: Load) -> _Tried:
    begun = perf_counter()
    outcome: PreparedImage | Exception
    try:
        outcome = captioner.prepare(load())
    except FAILURES as error:
        outcome = error
    return _Tried(photo, outcome, (perf_counter() - begun) * 1000)


def _describe(captioner: Captioner, batch: Sequence[_Tried], source: Source) -> Iterator[Row]:
    begun = perf_counter()
    prepared = [tried.outcome for tried in batch if isinstance(tried.outcome, PreparedImage)]
    captions = iter(captioner.describe(prepared))
    share = (perf_counter() - begun) * 1000 / max(1, len(prepared))
    for tried in batch:
        if isinstance(tried.outcome, Exception):
            kind = name_failure(tried.outcome)
            yield write_failure(tried.photo, kind, str(tried.outcome), tried.milliseconds, source)
        else:
            yield write_caption(tried.photo, next(captions), tried.milliseconds + share, source)
