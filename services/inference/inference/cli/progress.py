"""A line on a terminal that says how far a long run is; nothing at all where nobody watches."""

from time import monotonic
from typing import TextIO

_ERASE = "\r\x1b[K"


class Progress:
    """Counts photos towards a total on one line of `stream`, and lets messages through without tearing that line."""

    def __init__(self, stream: TextIO, total: int) -> None:
        """Silent when `stream` is no terminal or there is only one photo."""
        self._stream = stream
        self._total = total
        self._visible = total > 1 and stream.isatty()
        self._begun = monotonic()

    def show(self, done: int) -> None:
        """Say that `done` photos are done."""
        if not self._visible:
            return
        self._stream.write(f"{_ERASE}{done} of {self._total} photos{self._forecast(done)}")
        self._stream.flush()

    def erase(self) -> None:
        """Clear the line, before something else is written and at the end."""
        if self._visible:
            self._stream.write(_ERASE)
            self._stream.flush()

    def _forecast(self, done: int) -> str:
        if done == 0:
            return ""
        rate = done / max(monotonic() - self._begun, 1e-9)
        return f", {rate:.1f} a second, {_format_time((self._total - done) / rate)} left"


def _format_time(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
