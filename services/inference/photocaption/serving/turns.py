"""Fair sharing of decoders between clients whose photos take unequally long, which is known only afterwards.

A client that has used a decoder for a second is scheduled after all photos that arrive within that second, and at most
`_MAX_SECONDS` later than its photo's arrival. Without other clients there is no delay.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

_MAX_SECONDS = 2.0
_REMEMBERED_SECONDS = 60.0  # longer than photos wait


class Turns:
    """The time from which each client's next photo counts, on the monotonic clock."""

    def __init__(self) -> None:
        self._next: dict[str, float] = {}

    def find(self, client: str, arrival: float) -> float:
        """The time that a photo counts as having arrived, for a client's photo of `arrival`."""
        return max(arrival, self._next.get(client, arrival))

    @contextmanager
    def spend(self, client: str) -> Iterator[None]:
        """Charge the client for the time that the block takes."""
        begun = time.monotonic()
        try:
            yield
        finally:
            now = time.monotonic()
            self._next[client] = min(self.find(client, begun) + now - begun, now + _MAX_SECONDS)
            self._next = {name: turn for name, turn in self._next.items() if turn > now - _REMEMBERED_SECONDS}
