"""Schedules photos for the model: a bounded queue, fair between clients, in batches.

    accept ──▶ wait by priority ──▶ decode, in a few threads ──▶ queue ──▶ a batch, in a thread of the model ──▶ caption

A photo's priority is its arrival time, later if its client has other photos here: the tenth photo of a request, or of a
client, counts as if it had arrived ten service times later. So many photos do not delay a single one, and none starves.
Photos that take long to decode leave one decoder to the others, and delay the next photos of their client by as long as
they took, if other clients wait (`turns`). When no slot is free, the latest photo of the client with most photos is
evicted for one of a client with fewer.

All state is on the event loop, so there are no locks. A deadline and a disconnected client are handled alike: the
waiting coroutine is cancelled, and its work is dropped unless it has already started.
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
from photocaption.errors import DeadlineExceededError, LongDecodingError, QueueFullError, release_frames
from photocaption.serving.priority_semaphore import PrioritySemaphore
from photocaption.serving.turns import Turns

_SMOOTHING = 0.2  # weight of the newest batch in the running mean of the service time


class Describer(Protocol):
    """The two halves of a `Captioner`: one for each photo in parallel, one for a batch."""

    def prepare(self, data: bytes, sha256: str | None = ..., *, brief: bool = ...) -> PreparedImage:
        """Decode and preprocess a photo, whose hash may be known; with `brief`, LongDecodingError if it takes long."""

    def describe(
        self, images: Sequence[PreparedImage], options: CaptionOptions = ..., *, concurrent: bool = ...
    ) -> list[Caption]:
        """Caption a batch of photos; `concurrent`: there are others, so that it should leave cores to them."""


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A caption, and the milliseconds that its photo waited for a thread or for the model."""

    caption: Caption
    queue_ms: float


@dataclass(slots=True, eq=False)
class _Slot:
    """Held by an accepted photo of a client; `evicted` where it had to make room for another client's."""

    client: str
    timer: asyncio.Timeout | None = None
    evicted: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    """A waiting photo's client, its arrival, and the seconds that are added to that for its priority."""

    client: str
    arrival: float
    later: float


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
    `on_batch` is called with the size of every batch.
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
        self._decoding = PrioritySemaphore(decode_threads)
        self._long_decoding = PrioritySemaphore(max(1, decode_threads - 1))
        self._turns = Turns()
        self._requests = Counter[str]()  # with a photo here, by client
        self._model = ThreadPoolExecutor(workers, thread_name_prefix="model")
        self._waiting: list[tuple[float, int, _Job]] = []
        self._order = itertools.count()
        self._arrival = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._slots: dict[str, list[_Slot]] = {}  # by client, the latest last
        self._accepted = 0
        self._batch_starts: list[float] = []  # when each batch began that the model works on
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
        return sum(now - begun > seconds for begun in self._batch_starts) == self._workers

    def check_room(self, client: str) -> None:
        """Raise `QueueFullError` when a photo of `client` would not be accepted now; asked before an upload is read."""
        if self._accepted >= self._queue_size and self._find_heaviest(client) is None:
            raise self._queue_full(f"{self._queue_size} photos are waiting already")

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
        with self._hold_slot(client, position) as slot:
            arrival = asyncio.get_running_loop().time()
            later = (position + self._requests[client] - 1) * self._seconds_per_photo
            work = self._caption(describer, data, options, sha256, _Place(client, arrival, later), on_decoded)
            del data  # held by `work` alone, which lets go of it early
            try:
                async with asyncio.timeout(deadline) as slot.timer:
                    return await work
            except TimeoutError:
                if slot.evicted:
                    raise self._queue_full("others wait, who have sent fewer photos") from None
                message = f"The photo was not captioned within {deadline:g} seconds. Please try again a little later."
                raise DeadlineExceededError(message) from None

    async def finish(self) -> None:
        """Wait until everything that was accepted is answered."""
        await self._idle.wait()

    @contextmanager
    def _hold_slot(self, client: str, position: int) -> Iterator[_Slot]:
        self.check_room(client)
        if self._accepted >= self._queue_size:
            self._make_room(client)
        slot = _Slot(client)
        self._slots.setdefault(client, []).append(slot)
        self._accepted += 1
        self._requests[client] += position == 0
        self._idle.clear()
        try:
            yield slot
        finally:
            self._release(slot)
            self._requests[client] -= position == 0
            self._requests += Counter()  # forgets who has none

    def _find_heaviest(self, client: str) -> str | None:
        """The client that has most photos here, if `client` would still have fewer with another one."""
        most = max(self._slots, key=lambda name: len(self._slots[name]), default=None)
        if most is None or len(self._slots[most]) <= len(self._slots.get(client, ())) + 1:
            return None
        return most

    def _make_room(self, client: str) -> None:
        """Evict the latest photo of the client that has most."""
        slot = self._slots[self._find_heaviest(client) or client][-1]
        assert slot.timer is not None
        self._release(slot)
        if not slot.timer.expired():
            slot.evicted = True
            slot.timer.reschedule(0)

    def _release(self, slot: _Slot) -> None:
        """Free a slot; harmless when repeated."""
        held = self._slots.get(slot.client, [])
        if slot not in held:
            return
        held.remove(slot)
        if not held:
            del self._slots[slot.client]
        self._accepted -= 1
        if not self._accepted:
            self._idle.set()

    def _queue_full(self, reason: str) -> QueueFullError:
        message = f"The service is busy: {reason}. Please try again a little later."
        return QueueFullError(message, retry_after=self.retry_after)

    async def _caption(
        self,
        describer: Describer,
        data: bytes,
        options: CaptionOptions,
        sha256: str | None,
        place: _Place,
        on_decoded: Callable[[], None],
    ) -> Scheduled:
        loop = asyncio.get_running_loop()
        decoding = self._decode(partial(describer.prepare, data, sha256), place)
        del data  # a queue of encoded photos would be large, one of prepared photos is small
        photo = await decoding
        on_decoded()
        job = _Job(describer, photo, options, loop.create_future(), loop.create_future())
        heapq.heappush(self._waiting, (place.arrival + place.later, next(self._order), job))
        self._arrival.set()
        caption = await job.caption
        return Scheduled(caption, max(0.0, (job.started.result() - place.arrival) * 1000 - photo.decode_ms))

    async def _decode(self, prepare: Callable[..., PreparedImage], place: _Place) -> PreparedImage:
        try:
            return await self._run_decoder([self._decoding], place, partial(prepare, brief=True))
        except LongDecodingError as error:
            release_frames(error)
        return await self._run_decoder([self._long_decoding, self._decoding], place, prepare)

    async def _run_decoder(
        self, semaphores: Sequence[PrioritySemaphore], place: _Place, prepare: Callable[[], PreparedImage]
    ) -> PreparedImage:
        loop = asyncio.get_running_loop()
        with ExitStack() as held:
            for semaphore in semaphores:
                await semaphore.acquire(lambda: self._turns.find(place.client, place.arrival) + place.later)
                held.callback(semaphore.release)
            work = self._decoders.submit(prepare)
            held.enter_context(self._turns.spend(place.client))
            held = held.pop_all()

        def release(_: object) -> None:
            with suppress(RuntimeError):  # at the end there is no loop left
                loop.call_soon_threadsafe(held.close)

        work.add_done_callback(release)  # a thread continues even if its waiter was cancelled
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
        """The next jobs that were not cancelled and that fit into one batch."""
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
        concurrent = self._accepted > len(batch)
        describe = partial(batch[0].describer.describe, concurrent=concurrent)
        photos = [job.photo for job in batch]
        self._batch_starts.append(start)
        try:
            captions = await loop.run_in_executor(self._model, describe, photos, batch[0].options)
        except Exception as error:  # whatever the model raises belongs to those who wait for it, not to the worker
            _resolve(batch, [error] * len(batch))
        else:
            self._update_service_time((loop.time() - start) / len(batch) / self._workers)
            _resolve(batch, captions)
        finally:
            self._batch_starts.remove(start)

    def _update_service_time(self, seconds: float) -> None:
        known = self._seconds_per_photo
        self._seconds_per_photo = seconds if known == 0 else known + _SMOOTHING * (seconds - known)


def _resolve(batch: list[_Job], outcomes: Sequence[Caption | Exception]) -> None:
    for job, outcome in zip(batch, outcomes, strict=True):
        if job.caption.done():
            continue
        if isinstance(outcome, Exception):
            job.caption.set_exception(outcome)
        else:
            job.caption.set_result(outcome)
