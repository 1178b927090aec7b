"""`make run`: both services on this machine, their addresses, and a first caption; Ctrl-C stops both.

Only the standard library, so that it needs neither service's environment.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "services/frontend/frontend/static/examples/dog.jpg"
READY_WITHIN = 60.0
STOP_WITHIN = 30.0


def main() -> int:
    """Start, show, wait, stop. The exit code is 0 after Ctrl-C, 1 when a service does not start or stops by itself."""
    options = _parse_arguments()
    api = f"http://localhost:{os.environ.get('CAPTION_PORT', '8000')}"
    page = f"http://localhost:{os.environ.get('FRONTEND_PORT', '8080')}"
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    services = [
        _start(options.inference, "inference", {"CAPTION_LOG_LEVEL": "warning"}),
        _start(options.frontend, "frontend", {"FRONTEND_INFERENCE_URL": api}),
    ]
    try:
        _wait_until_ready([f"{api}/health/ready", f"{page}/health"], services)
        print(
            f"\n  Page   {page}\n  API    {api}/docs\n\n  {SAMPLE.name}: {_caption(api)}\n\nCtrl-C stops both.",
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


def _start(python: Path, module: str, defaults: dict[str, str]) -> subprocess.Popen[bytes]:
    """A service in a process group of its own: Ctrl-C reaches only this program, which stops it in good order."""
    environment = {**defaults, **os.environ}
    return subprocess.Popen([python, "-m", module], cwd=ROOT, env=environment, start_new_session=True)


def _wait_until_ready(addresses: list[str], services: list[subprocess.Popen[bytes]]) -> None:
    end = time.monotonic() + READY_WITHIN
    for address in addresses:
        while not _answers(address):
            if any(service.poll() is not None for service in services):
                raise RuntimeError("a service did not start; what it said is above")
            if time.monotonic() > end:
                raise RuntimeError(f"{address} did not answer within {READY_WITHIN:.0f} seconds")
            time.sleep(0.1)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _caption(api: str) -> str:
    request = urllib.request.Request(f"{api}/caption", SAMPLE.read_bytes(), {"Content-Type": "image/jpeg"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return str(json.load(response)["alt_text"])


def _wait_for_end(services: list[subprocess.Popen[bytes]]) -> int:
    while all(service.poll() is None for service in services):
        time.sleep(0.5)
    raise RuntimeError("a service has stopped; what it said is above")


def _stop(services: list[subprocess.Popen[bytes]]) -> None:
    for service in services:
        service.terminate()
    for service in services:
        try:
            service.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            service.kill()


if __name__ == "__main__":
    sys.exit(main())
