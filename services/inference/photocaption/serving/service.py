"""The captioner as a service: loads and warms up the model, schedules, caches and measures photos. It has no HTTP.

Its states:

    starting ──▶ ready ──▶ draining
        └──────▶ failed
"""

import asyncio
import dataclasses
import enum
import hashlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from typing import Self, TypeVar

from PIL import Image

from photocaption.caption import Caption, CaptionOptions, Timings
from photocaption.captioner import Captioner
from photocaption.errors import BundleError, NotReadyError
from photocaption.image.pool import NONE_DECODES
from photocaption.model.manifest import Manifest
from photocaption.serving.cache import CacheKey, CaptionCache
from photocaption.serving.memory import release_freed
from photocaption.serving.metrics import Metrics
from photocaption.serving.scheduler import Scheduled, Scheduler
from photocaption.serving.settings import Settings
from photocaption.serving.tracing import Tracing

T = TypeVar("T")

_AT_ONCE = 512 * 2**10  # bytes that are hashed without a thread, which would take longer


class State(enum.Enum):
    """The states of the service."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    FAILED = "failed"


_UNREADY = {
    State.STARTING: "The model is still loading. Please try again in a few seconds.",
    State.DRAINING: "The service is about to stop and takes no new photos. Please try again in a few seconds.",
    State.FAILED: "The model could not be loaded; the service's log says why.",
}
_STALLED = "The model has not come to an end with earlier photos. Please try again in a few seconds."


@dataclass(frozen=True, slots=True)
class Answer:
    """A caption, the model that wrote it, whether it was kept from before, and its milliseconds: queued, and in all."""

    caption: Caption
    manifest: Manifest
    cached: bool
    queue_ms: float
    total_ms: float


class CaptionService:
    """Captions photos while it is ready.

    `load`: returns the captioner; runs in a thread. `can_decode`: whether photos can be decoded now. `rehearse`: tries
    the captioner that a reload would load, and raises what is wrong with it. Open it with `async with`.
    """

    def __init__(
        self,
        settings: Settings,
        load: Callable[[], Captioner],
        tracing: Tracing | None = None,
        *,
        can_decode: Callable[[], bool] = lambda: True,
        rehearse: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.tracing = tracing or Tracing()
        self.state = State.STARTING
        self.failure: Exception | None = None
        self._load = load
        self._can_decode = can_decode
        self._rehearse = rehearse
        self._captioner: Captioner | None = None
        self._hasher = ThreadPoolExecutor(1, thread_name_prefix="digest")
        self._cache = CaptionCache(settings.cache_size)
        self._scheduler = Scheduler(
            queue_size=settings.queue_size,
            batch_size=settings.batch_size,
            workers=settings.workers,
            decode_threads=settings.decode_threads,
            on_batch=self.metrics.batch_size.observe,
        )
        self.metrics.queue_depth.set_function(lambda: self._scheduler.depth)
        self.metrics.ready.set_function(lambda: self._find_obstacle() is None)

    async def __aenter__(self) -> Self:
        await self._scheduler.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._scheduler.__aexit__(*exception)
        self._hasher.shutdown(wait=False, cancel_futures=True)

    @property
    def captioner(self) -> Captioner:
        """The captioner that serves. Raises `NotReadyError` before there is one."""
        if self._captioner is None:
            raise NotReadyError(_UNREADY[self.state])
        return self._captioner

    async def start(self) -> None:
        """Load and warm up the captioner; afterwards the state is ready, or failed with the reason in `failure`."""
        try:
            self._use(await self._load_in_time())
        except Exception as error:  # whatever stops the start is told to the operator in one line
            self.failure = error
            self.state = State.FAILED
            return
        if self.state is State.STARTING:
            self.state = State.READY

    async def reload(self) -> None:
        """Rehearse with the new captioner, then load it and replace the old one between two photos.

        Raises what keeps the new one from being loaded; the old one is then kept.
        """
        await _run_in_thread(self._rehearse)
        self._use(await self._load_in_time())

    def check_ready(self) -> None:
        """Raise `NotReadyError` unless photos are captioned."""
        if obstacle := self._find_obstacle():
            raise NotReadyError(obstacle)

    def check_room(self, client: str) -> None:
        """Raise what would keep a photo of `client` from being accepted now: `NotReadyError` or `QueueFullError`."""
        self.check_ready()
        self._scheduler.check_room(client)

    async def caption(
        self,
        data: bytes,
        options: CaptionOptions,
        *,
        client: str = "",
        position: int = 0,
        on_decoded: Callable[[], None] = lambda: None,
    ) -> Answer:
        """Caption a photo, the `position`-th of a request of `client`.

        `on_decoded` is called once its bytes are no longer held.

        Raises the `ImageError`s and `ServiceError`s of `photocaption.errors`.
        """
        arrival = time.perf_counter()
        self.check_room(client)
        # a reload replaces both
        captioner = self.captioner
        cache = self._cache
        sha256 = await self._digest(data)
        key = (sha256, options)
        caption = self._look_up(cache, key)
        if caption is not None:
            return self._answer(captioner, Scheduled(caption, 0.0), arrival, cached=True)
        work = self._scheduler.caption(
            captioner,
            data,
            options,
            deadline=self.settings.deadline_seconds,
            sha256=sha256,
            client=client,
            position=position,
            on_decoded=on_decoded,
        )
        del data  # held by `work` alone, which lets go of it early
        scheduled = await work
        cache.put(key, scheduled.caption)
        return self._answer(captioner, scheduled, arrival, cached=False)

    async def drain(self) -> None:
        """Accept nothing more and wait until what was accepted is answered."""
        self.state = State.DRAINING
        await self._scheduler.finish()

    def _find_obstacle(self) -> str | None:
        """What keeps photos from being captioned now."""
        if self.state is not State.READY:
            return _UNREADY[self.state]
        if self._scheduler.is_stalled(self.settings.deadline_seconds):
            return _STALLED
        return None if self._can_decode() else NONE_DECODES

    async def _load_in_time(self) -> Captioner:
        seconds = self.settings.load_seconds
        try:
            return await asyncio.wait_for(_run_in_thread(self._load_warm), seconds)
        except TimeoutError:
            raise BundleError(f"{self.settings.bundle}: was not loaded and tried within {seconds:g} seconds") from None

    def _load_warm(self) -> Captioner:
        captioner = self._load()
        release_freed()
        captioner.caption(grey_photo())
        return captioner

    def _use(self, captioner: Captioner) -> None:
        self._captioner = captioner
        self._cache = CaptionCache(self.settings.cache_size)
        self.metrics.set_model(captioner.bundle.manifest.name, captioner.bundle.manifest.version)

    async def _digest(self, data: bytes) -> str:
        if len(data) <= _AT_ONCE:
            return hashlib.sha256(data).hexdigest()
        digest = await asyncio.get_running_loop().run_in_executor(self._hasher, hashlib.sha256, data)
        return digest.hexdigest()

    def _look_up(self, cache: CaptionCache, key: CacheKey) -> Caption | None:
        caption = cache.get(key)
        self.metrics.cache_lookups.labels("miss" if caption is None else "hit").inc()
        return caption and dataclasses.replace(caption, timings=Timings(decode=0.0, encode=0.0, generate=0.0))

    def _answer(self, captioner: Captioner, scheduled: Scheduled, arrival: float, *, cached: bool) -> Answer:
        self.metrics.confidence.observe(scheduled.caption.confidence)
        if not cached:
            self.metrics.observe_stages(scheduled.caption.timings, queue_ms=scheduled.queue_ms)
        total_ms = (time.perf_counter() - arrival) * 1000
        self.tracing.record_photo(
            scheduled.caption.timings, queue_ms=scheduled.queue_ms, total_ms=total_ms, cached=cached
        )
        return Answer(scheduled.caption, captioner.bundle.manifest, cached, scheduled.queue_ms, total_ms)


async def _run_in_thread(work: Callable[[], T]) -> T:
    """What `work` gives, in a thread of its own: the event loop's end does not wait for it."""
    thread = ThreadPoolExecutor(1, thread_name_prefix="load")
    running = thread.submit(work)
    thread.shutdown(wait=False)
    return await asyncio.wrap_future(running)


def grey_photo() -> bytes:
    """A grey JPEG, for the first caption of a model that was just loaded."""
    photo = BytesIO()
    Image.new("RGB", (320, 240), "grey").save(photo, "JPEG")
    return photo.getvalue()
