"""A rate-limited warning, logged with its count."""

import logging
import time

_SECONDS = 10.0


class RepeatedWarning:
    """Logs the first warning at once, then at most one every ten seconds, with their number."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._count = 0
        self._logged = -_SECONDS

    def warn(self, message: str) -> None:
        """Count the warning, and log it if none was logged recently."""
        self._count += 1
        now = time.monotonic()
        if now - self._logged >= _SECONDS:
            self._logger.warning(message, extra={"times": self._count})
            self._count = 0
            self._logged = now
