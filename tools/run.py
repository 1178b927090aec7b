"""`make run`: both services on this machine, their addresses, and a first caption; Ctrl-C stops both.

Only the standard library, so that it needs neither service's environment.
"""

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from repository import EXAMPLES, ROOT

SAMPLE = EXAMPLES / "dog.jpg"
_CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # but tab and line feed
READY_WITHIN = 60.0
STOP_WITHIN = 30.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service will listen, and the variables that say so."""

    what: str
    prefix: str
    port: int

    @classmethod
    def read(cls, what: str, prefix: str, port: int) -> "Address":
        """Of the environment, `port` by default. Raises RuntimeError for what is no port."""
        text = os.environ.get(f"{prefix}_PORT") or str(port)
        if not (text.isascii() and text.isdigit() and 0 < int(text) < 2**16):
            raise RuntimeError(f"{prefix}_PORT is {text!r}, but must be a port from 1 to 65535")
        return cls(what, prefix, int(text))

    @property
    def url(self) -> str:
        """The address on this machine."""
        return f"http://localhost:{self.port}"

    def check_free(self) -> None:
        """Raise RuntimeError, saying what to do, where another program listens already."""
        host = os.environ.get(f"{self.prefix}_HOST") or "127.0.0.1"
        family, kind, protocol, _, address = socket.getaddrinfo(host, self.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(address)
                listener.listen()
            except OSError as error:
                raise RuntimeError(
                    f"port {self.port}, for {self.what}, cannot be had ({error.strerror}); is another `make run` "
                    f"there? Choose another with {self.prefix}_PORT={self.port + 1} make run"
                ) from error


def main() -> int:
    """Start, show, wait, stop. The exit code is 0 after Ctrl-C, 1 when a service does not start or stops by itself."""
    options = _parse_arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    services: list[subprocess.Popen[str]] = []
    try:
        api, page = Address.read("the API", "CAPTION", 8000), Address.read("the page", "FRONTEND", 8080)
        if api.port == page.port:
            raise RuntimeError(
                f"CAPTION_PORT and FRONTEND_PORT are both {api.port}; the page and the API need one each"
            )
        api.check_free()
        page.check_free()
        services.append(_start("API", options.inference, "photocaption", {}))
        services.append(_start("page", options.frontend, "frontend", {"FRONTEND_INFERENCE_URL": api.url}))
        _wait_until_ready([f"{api.url}/health/ready", f"{page.url}/health"], services)
        print(
            f"\n  Page   {page.url}\n  API    {api.url}/docs\n\n  {SAMPLE.name}: {_caption(api.url)}\n\n"
            "Ctrl-C stops both.\n",
            flush=True,
        )
        return _wait_for_end(services)
    except KeyboardInterrupt:
        return 0
    except RuntimeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        _stop(services)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inference", type=Path, required=True, help="Python of the inference environment")
    parser.add_argument("--frontend", type=Path, required=True, help="Python of the frontend environment")
    return parser.parse_args()


def _start(name: str, python: Path, module: str, defaults: dict[str, str]) -> subprocess.Popen[str]:
    """A service in a process group of its own: Ctrl-C reaches only this program, which stops it in good order."""
    environment = {**defaults, **os.environ}
    service = subprocess.Popen(
        [python, "-m", module], cwd=ROOT, env=environment, start_new_session=True, stdout=subprocess.PIPE, text=True
    )
    threading.Thread(target=_relay, args=(name, service.stdout or ()), daemon=True).start()
    return service


def _relay(name: str, lines: Iterable[str]) -> None:
    for line in lines:
        if text := shorten(name, line):
            print(_CONTROL_CHARACTERS.sub(lambda letter: ascii(letter[0])[1:-1], text), flush=True)


def shorten(name: str, line: str) -> str | None:
    """A readable line for a line of a service's log: `14:02:11  page  POST /api/caption  200  83 ms`.

    None for probes, files of the page and messages below a warning; lines that are not JSON are unchanged.
    """
    try:
        entry = json.loads(line)
        clock = datetime.fromisoformat(entry["time"]).astimezone().strftime("%H:%M:%S")
    except (ValueError, TypeError, KeyError):
        return line.rstrip()
    if entry.get("message") == "request":
        path = str(entry["path"])
        if path.startswith(("/health", "/metrics", "/static/", "/api/state")):
            return None
        return f"{clock}  {name:4}  {entry['method']} {path}  {entry['status']}  {entry['duration_ms']:.0f} ms"
    if entry.get("level") in {"debug", "info"}:
        return None
    return f"{clock}  {name:4}  {entry.get('level')}: {entry.get('message')}" + (
        f"\n{entry['exception']}" if "exception" in entry else ""
    )


def _wait_until_ready(addresses: list[str], services: list[subprocess.Popen[str]]) -> None:
    end = time.monotonic() + READY_WITHIN
    for address in addresses:
        while not _answers(address):
            _check_alive(services)
            if time.monotonic() > end:
                raise RuntimeError(f"{address} did not answer within {READY_WITHIN:.0f} seconds")
            time.sleep(0.1)
    _check_alive(services)  # it may be another program that answers


def _check_alive(services: list[subprocess.Popen[str]]) -> None:
    if any(service.poll() is not None for service in services):
        raise RuntimeError("a service did not start; what it said is above")


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _caption(api: str) -> str:
    request = urllib.request.Request(f"{api}/caption", SAMPLE.read_bytes(), {"Content-Type": "image/jpeg"})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return str(json.load(response)["alt_text"])
    except (urllib.error.URLError, OSError) as error:  # a key may be asked for
        return f"no caption ({error})"


def _wait_for_end(services: list[subprocess.Popen[str]]) -> int:
    while all(service.poll() is None for service in services):
        time.sleep(0.5)
    raise RuntimeError("a service has stopped; what it said is above")


def _stop(services: list[subprocess.Popen[str]]) -> None:
    for service in services:
        service.terminate()
    for service in services:
        try:
            service.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            service.kill()


if __name__ == "__main__":
    sys.exit(main())
