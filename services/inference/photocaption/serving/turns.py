"""Whose turn it is where photos take unequally long, which shows only afterwards.

A client that has used a decoder for a second goes behind whoever comes within that second. Who has used more than that
for a while is behind by `_MAX_SECONDS` and not more; and nothing is lost while nobody else waits.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

_MAX_SECONDS = 2.0
_REMEMBERED_SECONDS = 60.0  # longer than photos wait


class Turns:
    """When each client's next turn begins, on the monotonic clock."""

    def __init__(self) -> None:
        self._next: dict[str, float] = {}

    def find(self, client: str, arrival: float) -> float:
        """When a photo of the client that came at `arrival` has its turn."""
        return max(arrival, self._next.get(client, arrival))

    @contextmanager
    def spend(self, client: str) -> Iterator[None]:
        """Have the client pay for the time that the block takes."""
        begun = time.monotonic()
        try:
            yield
        finally:
            now = time.monotonic()
            self._next[client] = min(self.find(client, begun) + now - begun, now + _MAX_SECONDS)
            self._next = {name: turn for name, turn in self._next.items() if turn > now - _REMEMBERED_SECONDS}
