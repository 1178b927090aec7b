"""Progress of a job on the terminal, as a bar or, in a file, as a line every half minute; and a filter for messages of
libraries on the standard error that no setting turns off.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

_SECONDS_BETWEEN_LINES = 30.0
# Messages that TensorFlow logs before it reads TF_CPP_MIN_LOG_LEVEL, and that there is no GPU.
_TENSORFLOW_START = r"/^WARNING: All log messages before absl::InitializeLog/d; /^I0000 /d; /failed call to cuInit/d"


class _RateColumn(ProgressColumn):
    """Photos, captions or batches a second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        """The speed of a task, blank until it is known."""
        return Text(f"{task.speed:.1f} {self._unit}/s" if task.speed else "")


@contextmanager
def track(label: str, *, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """Show progress towards `total` units; yields the function to call with the number of units just done."""
    if sys.stderr.isatty():
        with _bar(label, unit) as bar:
            task = bar.add_task(label, total=total)
            yield lambda count: bar.advance(task, count)
    else:
        yield _LinePrinter(label, total, unit)


def say(message: str) -> None:
    """Print a message to the standard error."""
    print(message, file=sys.stderr, flush=True)


@contextmanager
def filter_stderr(commands: str) -> Iterator[None]:
    """Filter the standard error, that of child processes too, with these commands of sed, which outlives this process
    if it is killed.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    with subprocess.Popen(  # noqa: S603
        ["sed", commands],  # noqa: S607  # wherever this system has it
        stdin=subprocess.PIPE,
        stdout=terminal,
    ) as sed:
        assert sed.stdin is not None
        os.dup2(sed.stdin.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)


def start_keras() -> None:
    """Import Keras, which imports its backend and looks for devices."""
    with filter_stderr(_TENSORFLOW_START):
        import keras

        keras.distribution.list_devices()


def _bar(label: str, unit: str) -> Progress:
    columns = (TextColumn(f"{label:<12}"), BarColumn(), MofNCompleteColumn(), _RateColumn(unit), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


class _LinePrinter:
    """Counts units, and prints a line every half minute."""

    def __init__(self, label: str, total: int, unit: str) -> None:
        self._label = label
        self._total = total
        self._unit = unit
        self._done = 0
        self._begun = self._said = time.monotonic()

    def __call__(self, count: int) -> None:
        self._done += count
        now = time.monotonic()
        if now - self._said >= _SECONDS_BETWEEN_LINES or (self._done == self._total and count):
            rate = self._done / max(now - self._begun, 1e-9)
            left = (self._total - self._done) / max(rate, 1e-9)
            say(f"{self._label}: {self._done}/{self._total} {self._unit}, {rate:.1f} {self._unit}/s, {left:.0f} s left")
            self._said = now
