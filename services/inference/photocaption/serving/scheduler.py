"""Brings photos to the model in a fair order, and never more of them than can be answered in time.

    accept ──▶ turn ──▶ decode, in a few threads ──▶ queue ──▶ a batch for the model, in another thread ──▶ caption

A photo's turn is when it came, and later for whoever has others here: the tenth photo of a request, or of a client,
stands where it would if it had come ten service times later. So neither many photos hold up a single one, nor does
anybody starve. Photos that take long to decode leave a decoder to all others. When there is no place left, the client
that has most gives its latest to one that has fewer.

All bookkeeping happens on the event loop, so there are no locks. A deadline and a client that goes away are the same
thing here: the waiting coroutine is cancelled, and what it waited for is dropped unless it has already started.
"""

import asyncio
import heapq
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol, Self

from photocaption.caption import Caption, CaptionOptions, PreparedImage
from photocaption.errors import DeadlineExceededError, LongDecodingError, QueueFullError
from photocaption.serving.turns import Turns

_SMOOTHING = 0.2  # weight of the newest batch in the running mean of the service time


class Describer(Protocol):
    """The two halves of a `Captioner`: one for each photo in parallel, one for a batch."""

    def prepare(self, data: bytes, sha256: str | None = ..., *, brief: bool = ...) -> PreparedImage:
        """Decode and preprocess a photo, whose hash may be known; with `brief`, LongDecodingError if it takes long."""

    def describe(
        self, images: Sequence[PreparedImage], options: CaptionOptions = ..., *, crowded: bool = ...
    ) -> list[Caption]:
        """Caption a batch of photos; `crowded`: there are others, so that it should leave cores to them."""


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A caption, and the milliseconds that its photo waited for a thread or for the model."""

    caption: Caption
    queue_ms: float


@dataclass(slots=True, eq=False)
class _Place:
    """A photo of a client, among those that were accepted; `given_up` where it had to make room for another's."""

    client: str
    timer: asyncio.Timeout | None = None
    given_up: bool = False


@dataclass(slots=True, eq=False)
class _Job:
    describer: Describer
    photo: PreparedImage
    options: CaptionOptions
    started: asyncio.Future[float]
    caption: asyncio.Future[Caption]

    def fits(self, other: "_Job") -> bool:
        return self.describer is other.describer and self.options == other.options


class Scheduler:
    """Accepts at most `queue_size` photos at a time and captions them in batches of at most `batch_size`.

    `workers` batches are captioned at the same time, `decode_threads` photos are decoded at the same time. Batches are
    a little faster a photo, but the first photo of one waits for the last: they grow with the queue, so that none waits
    much longer than it would have anyway.

    Use it as an asynchronous context manager: leaving it waits for nothing, so call `finish` first to drain.
    `on_batch` is told the size of every batch.
    """

    def __init__(
        self,
        *,
        queue_size: int,
        batch_size: int,
        workers: int,
        decode_threads: int,
        on_batch: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._queue_size = queue_size
        self._batch_size = batch_size
        self._workers = workers
        self._on_batch = on_batch
        self._decoders = ThreadPoolExecutor(decode_threads, thread_name_prefix="decode")
        self._decoding = Turns(decode_threads)
        self._decoding_long = Turns(max(1, decode_threads - 1))
        self._requests = Counter[str]()  # with a photo here, by client
        self._model = ThreadPoolExecutor(workers, thread_name_prefix="model")
        self._waiting: list[tuple[float, int, _Job]] = []
        self._order = itertools.count()
        self._arrival = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._places: dict[str, list[_Place]] = {}  # by client, the latest last
        self._accepted = 0
        self._begun: list[float] = []  # when each batch began that the model works on
        self._seconds_per_photo = 0.0

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._work(), name="scheduler") for _ in range(self._workers)]
        return self

    async def __aexit__(self, *exception: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        self._decoders.shutdown(wait=False, cancel_futures=True)
        self._model.shutdown(wait=False, cancel_futures=True)

    @property
    def depth(self) -> int:
        """Photos accepted and not yet answered."""
        return self._accepted

    @property
    def retry_after(self) -> int:
        """Whole seconds until everything accepted so far should be done, by the service time that was measured."""
        return max(1, math.ceil(self._accepted * self._seconds_per_photo))

    def is_stalled(self, seconds: float) -> bool:
        """Whether every worker has been busy with one batch for longer than that."""
        now = asyncio.get_running_loop().time()
        return sum(now - begun > seconds for begun in self._begun) == self._workers

    def check_room(self, client: str | None = None) -> None:
        """Raise `QueueFullError` when a photo of `client` would not be accepted now; asked before an upload is read."""
        if self._accepted >= self._queue_size and self._find_greedy(client) is None:
            raise self._refuse(f"{self._queue_size} photos are waiting already")

    async def caption(
        self,
        describer: Describer,
        data: bytes,
        options: CaptionOptions,
        *,
        deadline: float,
        sha256: str | None = None,
        client: str = "",
        position: int = 0,
        on_decoded: Callable[[], None] = lambda: None,
    ) -> Scheduled:
        """Caption a photo that came as the `position`-th of a request of `client`, within `deadline` seconds from now.

        `sha256`: of the photo, if known, so that it is not hashed again; `on_decoded` is called once the encoded bytes
        are no longer held.
        Raises `QueueFullError`, `DeadlineExceededError`, and what `describer` raises.
        """
        with self._place(client, position) as place:
            arrival = asyncio.get_running_loop().time()
            turn = arrival + (position + self._requests[client] - 1) * self._seconds_per_photo
            work = self._caption(describer, data, options, sha256, arrival, turn, on_decoded)
            del data  # held by `work` alone, which lets go of it early
            try:
                async with asyncio.timeout(deadline) as place.timer:
                    return await work
            except TimeoutError:
                if place.given_up:
                    raise self._refuse("others wait, who have sent fewer photos") from None
                message = f"The photo was not captioned within {deadline:g} seconds. Please try again a little later."
                raise DeadlineExceededError(message) from None

    async def finish(self) -> None:
        """Wait until everything that was accepted is answered."""
        await self._idle.wait()

    @contextmanager
    def _place(self, client: str, position: int) -> Iterator[_Place]:
        self.check_room(client)
        if self._accepted >= self._queue_size:
            self._make_room(client)
        place = _Place(client)
        self._places.setdefault(client, []).append(place)
        self._accepted += 1
        self._requests[client] += position == 0
        self._idle.clear()
        try:
            yield place
        finally:
            self._leave(place)
            self._requests[client] -= position == 0
            self._requests += Counter()  # forgets who has none

    def _find_greedy(self, client: str | None) -> str | None:
        """Who has most photos here, if `client` would still have fewer with another one."""
        most = max(self._places, key=lambda name: len(self._places[name]), default=None)
        if client is None or most is None or len(self._places[most]) <= len(self._places.get(client, ())) + 1:
            return None
        return most

    def _make_room(self, client: str) -> None:
        """Have the latest photo give up its place that is of the client who has most."""
        place = self._places[self._find_greedy(client) or client][-1]
        assert place.timer is not None
        self._leave(place)
        if not place.timer.expired():
            place.given_up = True
            place.timer.reschedule(0)

    def _leave(self, place: _Place) -> None:
        """Give a place back; harmless when repeated."""
        held = self._places.get(place.client, [])
        if place not in held:
            return
        held.remove(place)
        if not held:
            del self._places[place.client]
        self._accepted -= 1
        if not self._accepted:
            self._idle.set()

    def _refuse(self, reason: str) -> QueueFullError:
        message = f"The service is busy: {reason}. Please try again a little later."
        return QueueFullError(message, retry_after=self.retry_after)

    async def _caption(
        self,
        describer: Describer,
        data: bytes,
        options: CaptionOptions,
        sha256: str | None,
        arrival: float,
        turn: float,
        on_decoded: Callable[[], None],
    ) -> Scheduled:
        loop = asyncio.get_running_loop()
        decoding = self._decode(partial(describer.prepare, data, sha256), turn)
        del data  # a queue of encoded photos would be large, one of prepared photos is small
        photo = await decoding
        on_decoded()
        job = _Job(describer, photo, options, loop.create_future(), loop.create_future())
        heapq.heappush(self._waiting, (turn, next(self._order), job))
        self._arrival.set()
        caption = await job.caption
        return Scheduled(caption, max(0.0, (job.started.result() - arrival) * 1000 - photo.decode_ms))

    async def _decode(self, prepare: Callable[..., PreparedImage], turn: float) -> PreparedImage:
        try:
            return await self._run_decoder([self._decoding], turn, partial(prepare, brief=True))
        except LongDecodingError:
            return await self._run_decoder([self._decoding_long, self._decoding], turn, prepare)

    async def _run_decoder(
        self, places: Sequence[Turns], turn: float, prepare: Callable[[], PreparedImage]
    ) -> PreparedImage:
        loop = asyncio.get_running_loop()
        with ExitStack() as taken:
            for place in places:
                await place.take(turn)
                taken.callback(place.give_back)
            work = self._decoders.submit(prepare)
            taken = taken.pop_all()

        def give_back(_: object) -> None:
            with suppress(RuntimeError):  # at the end there is no loop left
                loop.call_soon_threadsafe(taken.close)

        work.add_done_callback(give_back)  # a thread goes on although nobody waits for it any more
        return await asyncio.wrap_future(work)

    async def _work(self) -> None:
        while True:
            await self._arrival.wait()
            batch = self._take_batch()
            if batch:
                await self._run(batch)
            else:
                self._arrival.clear()

    def _take_batch(self) -> list[_Job]:
        """The next jobs that somebody still waits for and that the model can take together."""
        batch: list[_Job] = []
        most = min(self._batch_size, math.ceil(len(self._waiting) / (2 * self._workers)))
        while self._waiting and len(batch) < most:
            job = self._waiting[0][2]
            if not job.caption.done():
                if batch and not batch[0].fits(job):
                    break
                batch.append(job)
            heapq.heappop(self._waiting)
        return batch

    async def _run(self, batch: list[_Job]) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        for job in batch:
            job.started.set_result(start)
        self._on_batch(len(batch))
        crowded = self._accepted > len(batch)
        describe = partial(batch[0].describer.describe, crowded=crowded)
        photos = [job.photo for job in batch]
        self._begun.append(start)
        try:
            captions = await loop.run_in_executor(self._model, describe, photos, batch[0].options)
        except Exception as error:  # whatever the model raises belongs to those who wait for it, not to the worker
            _settle(batch, [error] * len(batch))
        else:
            self._learn((loop.time() - start) / len(batch) / self._workers)
            _settle(batch, captions)
        finally:
            self._begun.remove(start)

    def _learn(self, seconds: float) -> None:
        known = self._seconds_per_photo
        self._seconds_per_photo = seconds if known == 0 else known + _SMOOTHING * (seconds - known)


def _settle(batch: list[_Job], outcomes: Sequence[Caption | Exception]) -> None:
    for job, outcome in zip(batch, outcomes, strict=True):
        if job.caption.done():
            continue
        if isinstance(outcome, Exception):
            job.caption.set_exception(outcome)
        else:
            job.caption.set_result(outcome)
