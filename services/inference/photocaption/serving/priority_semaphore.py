"""A semaphore that serves waiters by priority instead of by arrival."""

import asyncio
from collections.abc import Callable


class PrioritySemaphore:
    """`slots` that are held or free. All calls are made on one event loop."""

    def __init__(self, slots: int) -> None:
        self._free = slots
        self._waiting: dict[asyncio.Future[None], Callable[[], float]] = {}

    async def acquire(self, priority: Callable[[], float]) -> None:
        """Wait for a slot; the waiter with the least `priority`, asked for at that moment, is next; of equal ones the
        first. It has to be released.
        """
        if self._free:
            self._free -= 1
            return
        slot = asyncio.get_running_loop().create_future()
        self._waiting[slot] = priority
        try:
            await slot
        except asyncio.CancelledError:
            if self._waiting.pop(slot, None) is None:  # it was granted just when the waiter was cancelled
                self.release()
            raise

    def release(self) -> None:
        """Grant the slot to the next waiter, or free it."""
        waiting = [slot for slot in self._waiting if not slot.done()]  # the others are about to leave
        if not waiting:
            self._free += 1
            return
        slot = min(waiting, key=lambda waiter: self._waiting[waiter]())
        del self._waiting[slot]
        slot.set_result(None)
