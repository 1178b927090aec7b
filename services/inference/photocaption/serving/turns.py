"""Places for work, given to whoever's turn is earliest, which need not be who came first."""

import asyncio
import heapq
import itertools


class Turns:
    """`places` of which each is somebody's or free. All calls are made on one event loop."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    async def take(self, turn: float) -> None:
        """Wait for a place; among those who wait the one with the least `turn` is next. It has to be given back."""
        if self._free:
            self._free -= 1
            return
        place = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (turn, next(self._order), place))
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():  # it was given at the moment at which nobody wanted it any more
                self.give_back()
            raise

    def give_back(self) -> None:
        """Give a place to the next."""
        while self._waiting:
            *_, place = heapq.heappop(self._waiting)
            if not place.done():
                place.set_result(None)
                return
        self._free += 1
