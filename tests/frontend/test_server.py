"""The server as a process: slow senders, oversized bodies, signals, wrong settings."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack

import pytest
import requests
from support.fake_inference import Answer, FakeInference, make_caption
from support.frontend_process import run_frontend

from frontend.healthcheck import is_healthy

SLOW_CLIENTS = 200


def address_of(url: str) -> tuple[str, int]:
    host, port = url.removeprefix("http://").split(":")
    return host, int(port)


def trickle(connection: socket.socket, seconds: float) -> None:
    """Send a byte every now and then."""
    for _ in range(int(seconds / 0.1)):
        connection.sendall(b".")
        time.sleep(0.1)


@pytest.mark.alone
@pytest.mark.parametrize(
    ("partial", "what"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", "headers"),
        (b"POST /api/caption HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf", "body"),
    ],
)
def test_many_slow_senders_do_not_keep_others_waiting(inference: FakeInference, partial: bytes, what: str) -> None:
    with run_frontend(inference.url) as frontend, ExitStack() as connections:
        for _ in range(SLOW_CLIENTS):
            slow = connections.enter_context(socket.create_connection(address_of(frontend.url)))
            slow.sendall(partial)

        began = time.monotonic()
        assert requests.post(f"{frontend.url}/api/caption", data=b"photo", timeout=5).json()["caption"], what
        assert requests.get(frontend.url, timeout=5).ok
        assert time.monotonic() - began < 2


def test_a_request_that_trickles_for_ever_is_cut_off(inference: FakeInference) -> None:
    with (
        run_frontend(inference.url, request_seconds=1) as frontend,
        socket.create_connection(address_of(frontend.url), timeout=5) as slow,
    ):
        slow.sendall(b"POST /api/caption HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        began = time.monotonic()

        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            trickle(slow, seconds=10)

        assert time.monotonic() - began < 5


def test_a_silent_connection_is_closed(inference: FakeInference) -> None:
    with (
        run_frontend(inference.url, idle_seconds=1) as frontend,
        socket.create_connection(address_of(frontend.url), timeout=15) as silent,
    ):
        silent.sendall(b"GET / HTTP/1.1\r\n")

        assert silent.recv(100) == b""


def test_a_body_far_over_the_limit_is_refused_before_it_is_sent(inference: FakeInference) -> None:
    with (
        run_frontend(inference.url) as frontend,
        socket.create_connection(address_of(frontend.url), timeout=5) as client,
    ):
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\n\r\n")

        assert b"413" in client.recv(100)


def test_a_body_in_chunks_is_limited_too(inference: FakeInference) -> None:
    chunks = (b"x" * 1000 for _ in range(30))
    with run_frontend(inference.url, max_photo_bytes=20_000) as frontend:
        response = requests.post(f"{frontend.url}/api/caption", data=chunks, timeout=10)

    assert response.status_code == 413
    assert "Server" not in response.headers
    assert inference.received == []


def test_the_health_check_tells_whether_the_page_answers(inference: FakeInference) -> None:
    with run_frontend(inference.url) as frontend:
        assert is_healthy(address_of(frontend.url)[1])
    assert not is_healthy(address_of(frontend.url)[1])


@pytest.mark.alone
def test_pages_stay_quick_while_all_captions_are_slow(inference: FakeInference) -> None:
    inference.answers.extend([Answer(delay=3)] * 12)
    with run_frontend(inference.url) as frontend:
        asking = [
            threading.Thread(
                target=requests.post, args=(f"{frontend.url}/api/caption",), kwargs={"data": b"x", "timeout": 20}
            )
            for _ in range(12)
        ]
        for thread in asking:
            thread.start()
        while len(inference.received) < 12:
            time.sleep(0.01)

        began = time.monotonic()
        assert requests.get(frontend.url, timeout=5).ok
        assert time.monotonic() - began < 1
        for thread in asking:
            thread.join()


def test_sigterm_lets_an_accepted_caption_finish(inference: FakeInference) -> None:
    inference.answers.append(Answer(body=json.dumps(make_caption()).encode(), delay=4))
    answers: list[requests.Response] = []
    with run_frontend(inference.url) as frontend:
        asking = threading.Thread(
            target=lambda: answers.append(requests.post(f"{frontend.url}/api/caption", data=b"x", timeout=10))
        )
        asking.start()
        while not inference.received:
            time.sleep(0.01)

        frontend.process.send_signal(signal.SIGTERM)

        asking.join()
        assert answers[0].json()["alt_text"] == "A brown dog runs through the grass."
        assert frontend.process.wait(timeout=10) == 0


@pytest.mark.parametrize(
    ("name", "value"), [("FRONTEND_PORT", "many"), ("FRONTEND_HOST", "256.0.0.1"), ("FRONTEND_COLOUR", "blue")]
)
def test_a_wrong_setting_stops_the_start_with_one_line(name: str, value: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "frontend"], env=os.environ | {name: value}, capture_output=True, text=True, timeout=20
    )

    assert done.returncode == 2
    assert done.stderr.startswith("frontend: ")
    assert done.stderr.count("\n") == 1
