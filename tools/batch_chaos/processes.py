"""The processes of a run: found by what they are called, measured, and killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from chaos.figures import Resources

_PROC = Path("/proc")
_ACTOR = b"ray::MapWorker"
_SECONDS = 600.0


class Driver:
    """A `caption-batch` that runs."""

    def __init__(self, *arguments: str) -> None:
        command = [str(Path(sys.executable).with_name("caption-batch")), *arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def megabytes(self) -> int:
        """What it holds in memory now; 0 once it has ended."""
        return _megabytes(self._process.pid)

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate()

    def finish(self) -> tuple[int, str]:
        """Wait for its end; its exit status and what it said."""
        said, _ = self._process.communicate(timeout=_SECONDS)
        return self._process.returncode, said


def find_actors() -> list[int]:
    """The processes that caption, started by the nodes that this process has started."""
    return [pid for pid, command in _commands() if command.startswith(_ACTOR) and os.getpid() in _ancestors(pid)]


def kill(pid: int) -> None:
    """End a process, if it is there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def actor_megabytes() -> int:
    """What the largest of them holds, with its processes that decode."""
    return max((_megabytes(pid) for pid in find_actors()), default=0)


def wait_until(met: Callable[[], bool], what: str) -> None:
    """Look again and again until it is so. Raises TimeoutError."""
    end = time.monotonic() + _SECONDS
    while not met():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.01)


def _megabytes(pid: int) -> int:
    try:
        return Resources.of(pid).megabytes
    except (OSError, KeyError):  # it has ended, or is about to
        return 0


def _ancestors(pid: int) -> Iterator[int]:
    while pid > 1:
        try:
            pid = int((_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return
        yield pid


def _commands() -> Iterator[tuple[int, bytes]]:
    for folder in _PROC.iterdir():
        if folder.name.isdecimal():
            try:
                yield int(folder.name), (folder / "cmdline").read_bytes()
            except OSError:
                continue
