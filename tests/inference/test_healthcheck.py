"""The container's health check."""

import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from photocaption.healthcheck import is_ready


@contextmanager
def answering(status: int) -> Iterator[int]:
    """A server that answers everything with `status`; gives its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/health/ready" else 404)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.handle_request).start()
        yield server.server_address[1]


@pytest.mark.parametrize(("status", "ready"), [(200, True), (503, False)])
def test_it_says_what_the_service_says(status: int, ready: bool) -> None:
    with answering(status) as port:
        assert is_ready(port) is ready


def test_a_service_that_is_not_there_is_not_ready() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]

    assert not is_ready(port)
