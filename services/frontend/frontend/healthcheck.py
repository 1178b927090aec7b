"""`python -m frontend.healthcheck`: exit code 0 when the page of this container answers; no curl is needed."""

import http.client
import os
import sys

_SECONDS = 3.0


def is_healthy(port: int) -> bool:
    """Whether the frontend on this machine's `port` answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if is_healthy(int(os.environ.get("FRONTEND_PORT") or 8080)) else 1)
