"""`python -m photocaption.healthcheck`: exit code 0 when the service in this container is ready; no curl is needed."""

import http.client
import os
import sys

_SECONDS = 3.0
_ALL = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # what to ask where a service listens everywhere


def is_ready(port: int, host: str = "127.0.0.1") -> bool:
    """Whether the service on this machine's `host` and `port` answers that it is ready."""
    connection = http.client.HTTPConnection(_ALL.get(host, host), port, timeout=_SECONDS)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    port = os.environ.get("CAPTION_PORT") or 8000
    host = os.environ.get("CAPTION_HOST") or "127.0.0.1"
    sys.exit(0 if is_ready(int(port), host) else 1)
