"""What a scenario measured, and the promises that it saw broken."""

import collections
from dataclasses import dataclass, field
from pathlib import Path

_PROC = Path("/proc")
INTENDED_FAILURES = frozenset({503, 504})


@dataclass
class Figures:
    """Measurements by name, in the order in which they are printed."""

    scenario: str
    values: dict[str, object] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def require(self, kept: bool, promise: str) -> None:
        """Note the promise as broken unless it was kept."""
        if not kept:
            self.broken.append(promise)

    def count_statuses(self, statuses: "collections.Counter[int]") -> None:
        """Note how often each status came, and require that none says that the service failed."""
        self.values["answers by status"] = dict(sorted(statuses.items()))
        failures = [status for status in statuses if status >= 500 and status not in INTENDED_FAILURES]
        self.require(not failures, f"no 5xx but the intended 503 and 504; saw {failures}")

    def __str__(self) -> str:
        rows = [f"  {name:<32} {value}" for name, value in self.values.items()]
        return "\n".join([self.scenario, *rows, *(f"  BROKEN: {promise}" for promise in self.broken)])


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


def _list_children(pid: int) -> list[int]:
    tasks = (_PROC / str(pid) / "task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def _read_status(pid: int) -> dict[str, str]:
    return dict(line.split(":", 1) for line in (_PROC / str(pid) / "status").read_text().splitlines())
