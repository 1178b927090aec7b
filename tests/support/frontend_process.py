"""The frontend as a process of its own, the way it runs in production."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class FrontendProcess:
    """A running frontend: its process, the address of its page, and the lines that it has logged so far."""

    process: subprocess.Popen[str]
    url: str
    log: list[str]


@contextmanager
def run_frontend(inference_url: str, **settings: object) -> Iterator[FrontendProcess]:
    """`python -m frontend` on a free port, killed at the end; `settings` are variables without their prefix."""
    variables = {"inference_url": inference_url, "port": 0, **settings}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FRONTEND_")}
    environment |= {f"FRONTEND_{name.upper()}": str(value) for name, value in variables.items()}
    command = [sys.executable, "-m", "frontend"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        log: list[str] = []
        # Somebody has to take the log: a full pipe would stop the process that writes to it.
        drain = threading.Thread(target=log.extend, args=(process.stdout,), daemon=True)
        try:
            message = json.loads(process.stdout.readline())["message"]
            drain.start()
            yield FrontendProcess(process, message.removeprefix("listening on "), log)
        finally:
            process.kill()
            if drain.ident:
                drain.join()
