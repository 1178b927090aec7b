"""The measurements of a scenario, and the promises that were broken."""

import collections
import contextlib
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

_PROC = Path("/proc")
_RESET_PEAK = "5"  # see proc_pid_clear_refs(5)
_WINDOW_SECONDS = 0.2
INTENDED_FAILURES = frozenset({503, 504})
MAX_MEGABYTES = 600


@dataclass
class Figures:
    """Measurements by name, in the order in which they are printed."""

    scenario: str
    values: dict[str, object] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    statuses: "collections.Counter[int]" = field(default_factory=collections.Counter)
    peak_megabytes: int = 0

    def require(self, kept: bool, promise: str) -> None:
        """Note the promise as broken unless it was kept."""
        if not kept:
            self.broken.append(promise)

    def count_statuses(self, statuses: "collections.Counter[int]") -> None:
        """Note how often each status came, and require that none says that the service failed."""
        self.statuses = statuses
        self.values["answers by status"] = dict(sorted(statuses.items()))
        failures = find_failures(statuses)
        self.require(not failures, f"no 5xx but the intended 503 and 504; saw {failures}")

    def check_memory(self, peak_megabytes: int) -> None:
        """Note the most that the service ever held, and require that it is bounded."""
        self.peak_megabytes = peak_megabytes
        self.values["memory, peak (MB)"] = peak_megabytes
        self.require(peak_megabytes < MAX_MEGABYTES, f"peak memory below {MAX_MEGABYTES} MB")

    def __str__(self) -> str:
        rows = [f"  {name:<32} {value}" for name, value in self.values.items()]
        return "\n".join([self.scenario, *rows, *(f"  BROKEN: {promise}" for promise in self.broken)])


def find_failures(statuses: "collections.Counter[int]") -> dict[int, int]:
    """How often each status came that says that the service failed where it should not."""
    return {status: n for status, n in statuses.items() if status >= 500 and status not in INTENDED_FAILURES}


def sum_up(scenarios: Sequence[Figures]) -> Figures:
    """Totals over all scenarios."""
    total = Figures("in all")
    total.values["answers"] = sum(one.statuses.total() for one in scenarios)
    total.values["5xx other than 503 and 504"] = sum(sum(find_failures(one.statuses).values()) for one in scenarios)
    total.values["memory, peak (MB)"] = max((one.peak_megabytes for one in scenarios), default=0)
    total.values["promises broken"] = sum(len(one.broken) for one in scenarios)
    return total


@dataclass(frozen=True)
class Resources:
    """What a process holds: open files, threads, and memory at its peak and now, in megabytes.

    Memory is that of the processes that decode, too, each at its own peak: an upper bound, for what they share is
    counted again and their peaks may not have come together.
    """

    peak_megabytes: int
    megabytes: int
    files: int
    threads: int

    @classmethod
    def of(cls, pid: int) -> "Resources":
        """Read them from /proc."""
        family = [_read_status(pid), *(_read_status(child) for child in _list_children(pid))]
        return cls(
            peak_megabytes=sum(int(status["VmHWM"].split()[0]) for status in family) // 1024,
            megabytes=sum(int(status["VmRSS"].split()[0]) for status in family) // 1024,
            files=len(list((_PROC / str(pid) / "fd").iterdir())),
            threads=int(family[0]["Threads"]),
        )


class PeakMemory:
    """The most that a process and those that decode for it hold at one time within the block, in `megabytes`.

    Of each window of a fifth of a second it is the sum of their peaks: an upper bound still, but not of what one of
    them held while the others held little. Where the kernel does not let peaks be reset, those of their lives.
    """

    def __init__(self, pid: int) -> None:
        self.megabytes = 0
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._reset()
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        last = False
        while not last:
            last = self._ended.wait(_WINDOW_SECONDS)
            with contextlib.suppress(OSError, KeyError):  # one that has just ended
                self.megabytes = max(self.megabytes, Resources.of(self._pid).peak_megabytes)
            self._reset()

    def _reset(self) -> None:
        for pid in (self._pid, *_list_children(self._pid)):
            with contextlib.suppress(OSError):
                (_PROC / str(pid) / "clear_refs").write_text(_RESET_PEAK)


class Waiting:
    """The average number of a process's threads that wait for a core, from the creation of this object.

    Near 0 on an idle machine; where it is more, times and goodput depend on the machine's other load.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._began, self._before = time.perf_counter(), _read_waited(pid)

    def __str__(self) -> str:
        waited = _read_waited(self._pid) - self._before
        return f"{waited / (time.perf_counter() - self._began):.2f}"


def _read_waited(pid: int) -> float:
    """Seconds that its threads have waited for a core."""
    nanoseconds = 0
    for task in (_PROC / str(pid) / "task").iterdir():
        with contextlib.suppress(OSError):  # a thread that has ended, or a kernel that does not tell
            nanoseconds += int((task / "schedstat").read_text().split()[1])
    return nanoseconds / 1e9


def _list_children(pid: int) -> list[int]:
    tasks = (_PROC / str(pid) / "task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def _read_status(pid: int) -> dict[str, str]:
    return dict(line.split(":", 1) for line in (_PROC / str(pid) / "status").read_text().splitlines())
