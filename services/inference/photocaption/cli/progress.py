"""The progress of a long run on a line of a terminal; nothing where the output is not a terminal."""

from time import monotonic
from typing import TextIO

_ERASE = "\r\x1b[K"


class Progress:
    """Counts photos towards a total on one line of `stream`, and lets messages through without tearing that line."""

    def __init__(self, stream: TextIO, total: int) -> None:
        """Silent when `stream` is no terminal or there is only one photo."""
        self._stream = stream
        self._total = total
        self._done = 0
        self._worked = 0
        self._visible = total > 1 and stream.isatty()
        self._begun = monotonic()

    def count(self, *, worked: bool) -> None:
        """One photo more is done; the rate is that of those that were worked on, from the first of them on."""
        self._done += 1
        if worked:
            self._worked += 1
        elif not self._worked:
            self._begun = monotonic()
        if self._done < self._total:
            self.show()

    def show(self) -> None:
        """Rewrite the line: how many photos are done, the rate, and the time left."""
        if self._visible:
            self._stream.write(f"{_ERASE}{self._done} of {self._total} photos{self._forecast()}")
            self._stream.flush()

    def erase(self) -> None:
        """Clear the line, before something else is written and at the end."""
        if self._visible:
            self._stream.write(_ERASE)
            self._stream.flush()

    def _forecast(self) -> str:
        if not self._worked:
            return ""
        rate = self._worked / max(monotonic() - self._begun, 1e-9)
        return f", {rate:.1f} a second, {format_time((self._total - self._done) / rate)} left"


def format_time(seconds: float) -> str:
    """Hours, minutes and seconds, as a clock shows them."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
