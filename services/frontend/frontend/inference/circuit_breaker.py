"""A circuit breaker: fails at once while the backend is known to be unreachable.

closed ──`threshold` failures in a row──▶ open ──after `cooldown`──▶ half open: one probe decides
"""

import time
from collections.abc import Callable
from threading import Lock


class CircuitBreaker:
    """Counts failures in a row; thread-safe. A call asks `allow` first and reports `succeeded` or `failed` after."""

    def __init__(
        self, *, threshold: int = 3, cooldown: float = 2.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`threshold`: failures in a row that open the circuit. `cooldown`: seconds until a probe may pass."""
        self._threshold = threshold
        self._cooldown = cooldown
        self._clock = clock
        self._lock = Lock()
        self._failures = 0
        self._probe_at = 0.0

    def allow(self) -> bool:
        """Whether a call may go out now. When the cooldown has passed, exactly one probe is let through."""
        with self._lock:
            if self._failures < self._threshold:
                return True
            if self._clock() < self._probe_at:
                return False
            self._probe_at = self._clock() + self._cooldown
            return True

    @property
    def wait(self) -> float:
        """Seconds until the next probe may pass; 0 while the circuit is closed."""
        with self._lock:
            if self._failures < self._threshold:
                return 0.0
            return max(0.0, self._probe_at - self._clock())

    def succeeded(self) -> None:
        """The backend answered, whatever it said."""
        with self._lock:
            self._failures = 0

    def failed(self) -> None:
        """The backend could not be reached, or did not answer in time."""
        with self._lock:
            self._failures += 1
            self._probe_at = self._clock() + self._cooldown
