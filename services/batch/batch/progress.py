"""Says how far a run is: how many photos, how fast, how long still, and what was wrong with those that failed."""

import sys
from collections import Counter
from collections.abc import Mapping
from time import monotonic
from typing import TextIO

from batch.outcome import CAPTIONED
from photocaption.cli.progress import format_time

_ERASE = "\r\x1b[K"
_QUIET_SECONDS = 30.0


class Progress:
    """Counts outcomes towards `total`: on one line of a terminal, elsewhere on a line every half minute."""

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self.outcomes: Counter[str] = Counter()
        self.total = total
        self._stream = stream or sys.stderr
        self._begun = self._told = monotonic()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return monotonic() - self._begun

    def add(self, outcomes: Mapping[str, int]) -> None:
        """Count what came of some photos, and say so."""
        self.outcomes.update({outcome: count for outcome, count in outcomes.items() if count})
        if self._stream.isatty():
            self._stream.write(_ERASE + self.describe())
        elif monotonic() - self._told >= _QUIET_SECONDS:
            self._told = monotonic()
            self._stream.write(self.describe() + "\n")
        self._stream.flush()

    def end(self) -> None:
        """Leave the last line as it is."""
        self._stream.write((_ERASE if self._stream.isatty() else "") + self.describe() + "\n")
        self._stream.flush()

    def describe(self) -> str:
        """The line, without an end."""
        done = self.outcomes.total()
        rate = done / max(self.seconds, 1e-9)
        left = f", {format_time((self.total - done) / rate)} left" if 0 < done < self.total else ""
        failed = {kind: count for kind, count in sorted(self.outcomes.items()) if kind != CAPTIONED}
        kinds = ", ".join(f"{count} {kind}" for kind, count in failed.items())
        return f"{done} of {self.total} photos, {rate:.1f} a second{left}" + (f"; failed: {kinds}" if kinds else "")
