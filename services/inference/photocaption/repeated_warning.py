"""A warning that may occur very often, logged now and then with its count."""

import logging
import time

_SECONDS = 10.0


class RepeatedWarning:
    """Logs the first at once, then how many there were, every ten seconds at most."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._count = 0
        self._told = -_SECONDS

    def warn(self, message: str) -> None:
        """Count it, and say so if it is time."""
        self._count += 1
        now = time.monotonic()
        if now - self._told >= _SECONDS:
            self._logger.warning(message, extra={"times": self._count})
            self._count = 0
            self._told = now
