"""`python -m inference.healthcheck`: exit code 0 when the service in this container is ready; no curl is needed."""

import http.client
import os
import sys

_SECONDS = 3.0


def is_ready(port: int) -> bool:
    """Whether the service on this machine's `port` answers that it is ready."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if is_ready(int(os.environ.get("CAPTION_PORT") or 8000)) else 1)
