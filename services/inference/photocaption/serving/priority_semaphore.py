"""A semaphore whose waiters go in the order of their priority, which need not be that of their arrival."""

import asyncio
import heapq
import itertools


class PrioritySemaphore:
    """`slots` that are held or free. All calls are made on one event loop."""

    def __init__(self, slots: int) -> None:
        self._free = slots
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    async def acquire(self, priority: float) -> None:
        """Wait for a slot; the waiter with the least `priority` is next. It has to be released."""
        if self._free:
            self._free -= 1
            return
        slot = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (priority, next(self._order), slot))
        try:
            await slot
        except asyncio.CancelledError:
            if slot.done() and not slot.cancelled():  # it was granted just when the waiter was cancelled
                self.release()
            raise

    def release(self) -> None:
        """Grant the slot to the next waiter, or free it."""
        while self._waiting:
            *_, slot = heapq.heappop(self._waiting)
            if not slot.done():
                slot.set_result(None)
                return
        self._free += 1
