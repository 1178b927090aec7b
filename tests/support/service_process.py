"""The inference service as a process of its own, the way it runs in production."""

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import httpx

_TESTS = Path(__file__).parent.parent
_START_SECONDS = 60.0


class ServiceProcess:
    """`python -m photocaption` on a free port; leaving the context kills it if it still runs.

    `settings` are environment variables without their prefix. With `slow`, the model takes so many seconds for a batch,
    or waits until this file is there.
    `log` has the lines of standard output, `errors` those of standard error.
    """

    def __init__(self, bundle: Path, *, slow: float | Path | None = None, **settings: object) -> None:
        command = ["-m", "photocaption"] if slow is None else ["-m", "support.slow_service", str(slow)]
        variables = {"bundle": bundle, "port": 0, "threads": 1, **settings}
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CAPTION_")}
        environment |= {f"CAPTION_{name.upper()}": str(value) for name, value in variables.items()}
        self.process = subprocess.Popen(
            [sys.executable, *command],
            env=environment | {"PYTHONPATH": os.pathsep.join([str(_TESTS), *sys.path])},  # the code that is tested
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log: list[str] = []
        self.errors: list[str] = []
        self._listening = threading.Event()
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read_log, self._read_errors)]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Self:
        if not self._listening.wait(_START_SECONDS):
            self.process.kill()  # nobody leaves a context that was not entered
            self.wait()
            raise AssertionError(self.errors)
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.kill()
        self.wait()

    @property
    def port(self) -> int:
        """The port that the process told in its log."""
        entry = next(json.loads(line) for line in self.log if '"listening"' in line)
        port: int = entry["port"]
        return port

    @property
    def url(self) -> str:
        """Where the service answers."""
        return f"http://127.0.0.1:{self.port}"

    def wait_until_ready(self) -> Self:
        """Wait for `/health/ready` to say 200."""
        limit = time.monotonic() + _START_SECONDS
        with httpx.Client() as client:  # a new one each time would take the processor that the service starts on
            while time.monotonic() < limit:
                with contextlib.suppress(httpx.TransportError):
                    if client.get(f"{self.url}/health/ready").status_code == 200:
                        return self
                time.sleep(0.02)
        raise AssertionError(self.log + self.errors)

    def terminate(self) -> None:
        """Ask the process to stop, as an orchestrator does."""
        self.process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float = 60) -> int:
        """The exit code; afterwards `log` and `errors` are complete."""
        code = self.process.wait(seconds)
        for reader in self._readers:
            reader.join(seconds)
        return code

    def metric(self, sample: str) -> float:
        """The value of a metric now."""
        lines = httpx.get(f"{self.url}/metrics", timeout=60).text.splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{sample} ")), 0.0)

    def megabytes(self) -> float:
        """The memory of the process itself now, in MB; what it has freed may still count."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 10**6

    def allow_files(self, count: int) -> int:
        """Let the process have so many files open from now on; how many it might have had before."""
        before, hard = resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, (count, hard))
        return before

    def resume_after(self, act: Callable[[], object]) -> None:
        """Have the process miss what `act` does until all of it is done."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            act()
        finally:
            self.process.send_signal(signal.SIGCONT)

    def _read_log(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.log.append(line.rstrip("\n"))
                if '"listening"' in line:
                    self._listening.set()
        self._listening.set()

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            self.errors.extend(line.rstrip("\n") for line in lines)


@contextlib.contextmanager
def run_service(bundle: Path, *, slow: float | Path | None = None, **settings: object) -> Iterator[ServiceProcess]:
    """A service that is ready."""
    with ServiceProcess(bundle, slow=slow, **settings) as service:
        yield service.wait_until_ready()
