"""The server as a process: slow senders, oversized bodies, signals, wrong settings."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import requests
from support.fake_inference import Answer, FakeInference, Received, make_caption
from support.frontend_process import run_frontend
from support.waiting import wait_for

from frontend.app import create_app
from frontend.healthcheck import is_healthy
from frontend.settings import Settings
from frontend.web.server import Server

SLOW_CLIENTS = 200
PHOTO = b"\xff\xd8\xff" + bytes(3 * 2**20)
LARGE = b"\xff\xd8\xff" + bytes(6 * 2**20)
PART = b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a.jpg"\r\n\r\n%s\r\n'


def address_of(url: str) -> tuple[str, int]:
    host, port = url.removeprefix("http://").split(":")
    return host, int(port)


def trickle(connection: socket.socket, seconds: float) -> None:
    """Send a byte every now and then."""
    for _ in range(int(seconds / 0.1)):
        connection.sendall(b".")
        time.sleep(0.1)


@contextmanager
def serve(inference: FakeInference, **settings: object) -> Iterator[str]:
    """The address of a frontend in this process."""
    wanted = Settings.model_validate({"inference_url": inference.url, "port": 0, **settings})
    server = Server(create_app(wanted), wanted)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.stop()
        thread.join()


def connect(url: str) -> socket.socket:
    """A client that takes next to nothing before it reads."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    connection.settimeout(10)
    connection.connect(address_of(url))
    return connection


def post_form(*photos: bytes) -> bytes:
    body = b"".join(PART % photo for photo in photos) + b"--x--\r\n"
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def time_of(url: str) -> float:
    began = time.monotonic()
    assert requests.get(url, timeout=20).ok
    return time.monotonic() - began


def is_ended(connection: socket.socket) -> bool:
    """Whether the server has ended it; what came before that is read and thrown away."""
    try:
        while connection.recv(2**20):
            pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


@pytest.mark.alone
@pytest.mark.parametrize(
    "partial",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"POST /api/caption HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf",
    ],
    ids=["headers", "body"],
)
def test_many_slow_senders_do_not_keep_others_waiting(inference: FakeInference, partial: bytes) -> None:
    with run_frontend(inference.url) as frontend, ExitStack() as connections:
        for _ in range(SLOW_CLIENTS):
            slow = connections.enter_context(socket.create_connection(address_of(frontend.url)))
            slow.sendall(partial)

        assert requests.post(f"{frontend.url}/api/caption", data=b"photo", timeout=20).json()["caption"]
        assert requests.get(frontend.url, timeout=20).ok


def test_a_request_that_trickles_for_ever_is_cut_off(inference: FakeInference) -> None:
    with (
        run_frontend(inference.url, request_seconds=1) as frontend,
        socket.create_connection(address_of(frontend.url), timeout=5) as slow,
    ):
        slow.sendall(b"POST /api/caption HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")

        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            trickle(slow, seconds=30)


def test_a_silent_connection_is_closed(inference: FakeInference) -> None:
    with (
        run_frontend(inference.url, idle_seconds=1) as frontend,
        socket.create_connection(address_of(frontend.url), timeout=60) as silent,
    ):
        silent.sendall(b"GET / HTTP/1.1\r\n")

        assert silent.recv(100) == b""


@pytest.mark.parametrize("jump", [-86_400, 86_400])
def test_a_clock_that_is_set_ends_no_upload_and_keeps_no_silent_connection(
    inference: FakeInference, monkeypatch: pytest.MonkeyPatch, jump: int
) -> None:
    true_time = time.time
    with (
        serve(inference, idle_seconds=4) as url,
        socket.create_connection(address_of(url), timeout=30) as silent,
        socket.create_connection(address_of(url), timeout=30) as sending,
    ):
        silent.sendall(b"GET / HTTP/1.1\r\n")
        sending.sendall(b"POST /api/caption HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n")
        trickle(sending, seconds=0.5)
        monkeypatch.setattr(time, "time", lambda: true_time() + jump)
        time.sleep(1)
        sending.sendall(b"." * 15)

        assert sending.recv(2**16).startswith(b"HTTP/1.1 200")
        assert silent.recv(100) == b""


@pytest.mark.parametrize("expected", [b"", b"Expect: 100-continue\r\n"])
def test_a_body_far_over_the_limit_is_refused_before_it_is_sent(inference: FakeInference, expected: bytes) -> None:
    with (
        run_frontend(inference.url) as frontend,
        socket.create_connection(address_of(frontend.url), timeout=5) as client,
    ):
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n%bContent-Length: 10000000000\r\n\r\n" % expected)

        answer = client.recv(2**16)

    assert b"413" in answer
    assert b"Content-Security-Policy: default-src 'none'" in answer
    assert b"Cache-Control: no-store" in answer


@pytest.mark.parametrize("address", ["http://[::1/", "//[", "http://[x]/", "\xff", "/%zz"])
def test_an_address_that_is_none_gets_an_answer(inference: FakeInference, address: str) -> None:
    with serve(inference) as url, socket.create_connection(address_of(url), timeout=20) as client:
        client.sendall(f"GET {address} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode("latin-1"))

        assert client.recv(2**16)[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 404")


def test_a_body_in_chunks_is_limited_too(inference: FakeInference) -> None:
    chunks = (b"x" * 1000 for _ in range(30))
    with run_frontend(inference.url, max_photo_bytes=20_000) as frontend:
        response = requests.post(f"{frontend.url}/api/caption", data=chunks, timeout=60)

    assert response.status_code == 413
    assert "Server" not in response.headers
    assert inference.received == []


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="there is no IPv6 here")
def test_it_listens_on_ipv6_too(inference: FakeInference) -> None:
    with serve(inference, host="::1") as url:
        port = int(url.rpartition(":")[2])

        assert is_healthy(port, "::1")
        assert is_healthy(port, "::")


def test_the_health_check_tells_whether_the_page_answers(inference: FakeInference) -> None:
    with run_frontend(inference.url) as frontend:
        assert is_healthy(address_of(frontend.url)[1])
    assert not is_healthy(address_of(frontend.url)[1])


def test_pages_are_served_while_all_captions_are_slow(inference: FakeInference) -> None:
    go_on = threading.Event()

    def answer_late(_: Received) -> Answer:
        go_on.wait(60)
        return Answer(body=json.dumps(make_caption()).encode())

    inference.answers.extend([answer_late] * 12)
    with run_frontend(inference.url, threads=17, concurrent_captions=16) as frontend, ThreadPoolExecutor(12) as askers:
        for _ in range(12):
            askers.submit(requests.post, f"{frontend.url}/api/caption", data=b"x", timeout=60)
        wait_for(lambda: len(inference.received) == 12, lambda: f"{len(inference.received)} came")

        try:
            assert requests.get(frontend.url, timeout=20).ok
        finally:
            go_on.set()


def test_answers_that_nobody_reads_hold_no_thread_and_end(inference: FakeInference) -> None:
    seconds = {"reading_seconds": 2, "idle_seconds": 3600}  # so that nothing else ends them
    settings = {"threads": 4, "concurrent_captions": 2, "max_buffered_bytes": 2**30, **seconds}
    with serve(inference, **settings) as url, ExitStack() as connections:
        assert requests.post(url, files={"photo": ("a.jpg", PHOTO)}, timeout=20).ok
        before = open_files()
        for count in range(1, 7):
            connections.enter_context(connect(url)).sendall(post_form(LARGE, LARGE, LARGE))
            wait_for(lambda: len(inference.received) > 3 * count, lambda: f"{count} are not answered", seconds=60)  # noqa: B023

        assert time_of(f"{url}/health") < 5
        wait_for(lambda: open_files() < before + 6 + 4, lambda: f"{open_files()} files are open", seconds=60)


def test_what_is_sent_before_the_answer_is_not_looked_at(inference: FakeInference) -> None:
    with serve(inference) as url, connect(url) as client:
        client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
        answers = b""
        while piece := client.recv(2**16):
            answers += piece

    assert 1 <= answers.count(b"HTTP/1.1 200") <= 2


def test_uploads_that_together_are_too_large_make_room_the_slowest_first(inference: FakeInference) -> None:
    with serve(inference, max_buffered_bytes=2**20) as url, ExitStack() as connections:
        head = b"POST /api/caption HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n"
        slow = [connections.enter_context(connect(url)) for _ in range(8)]
        for connection in slow:
            connection.sendall(head + bytes(200_000))
            time.sleep(0.3)

        assert is_ended(slow[0])
        slow[-1].settimeout(0.1)
        assert not is_ended(slow[-1])


def test_beyond_the_limit_of_connections_whoever_keeps_one_makes_room(inference: FakeInference) -> None:
    with serve(inference, max_connections=20) as url, ExitStack() as connections:
        for _ in range(300):
            connections.enter_context(connect(url)).sendall(b"G")

        assert time_of(f"{url}/health") < 20


@pytest.mark.parametrize("start", [b"0\r\n", b"5;"], ids=["trailers", "an extension"])
def test_what_comes_beside_a_body_is_bounded(inference: FakeInference, start: bytes) -> None:
    head = b"POST /api/caption HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
    with serve(inference) as url, connect(url) as connection:
        with suppress(ConnectionError):
            connection.sendall(head + start + b"a:b;" * 100_000)

        assert is_ended(connection)


def test_large_forms_at_once_are_all_answered_and_write_no_file(
    inference: FakeInference, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.TemporaryFile", None)
    monkeypatch.setattr("tempfile.SpooledTemporaryFile", None)
    with serve(inference) as url, ThreadPoolExecutor(5) as senders:
        photo = {"photo": ("a.jpg", LARGE)}
        answers = senders.map(lambda _: requests.post(url, files=photo, timeout=60), range(5))

        assert [answer.status_code for answer in answers] == [200] * 5


def test_a_photo_that_was_too_large_does_not_come_back(inference: FakeInference) -> None:
    with serve(inference, max_photo_bytes=2**20) as url:
        answer = requests.post(url, files={"photo": ("a.jpg", PHOTO)}, timeout=20)

    assert answer.status_code == 413
    assert "too large to be shown" in answer.text
    assert len(answer.content) < 100_000


def test_more_connections_than_files_are_refused_at_the_start(inference: FakeInference) -> None:
    with pytest.raises(OSError, match="FRONTEND_MAX_CONNECTIONS"), serve(inference, max_connections=10**9):
        pass


def test_pages_stay_quick_while_inference_hangs(inference: FakeInference) -> None:
    inference.answers.extend([Answer(delay=4)] * 60)
    with serve(inference, threads=16) as url, ThreadPoolExecutor(60) as askers:
        for number in range(60):
            askers.submit(requests.get, f"{url}/{('about', 'api/state')[number % 2]}", timeout=20)
        time.sleep(1)

        assert time_of(url) < 2.5  # less than one who asks waits
        inference.answers.clear()


def test_sigterm_lets_an_accepted_caption_finish(inference: FakeInference) -> None:
    inference.answers.append(Answer(body=json.dumps(make_caption()).encode(), delay=4))
    answers: list[requests.Response] = []
    with run_frontend(inference.url) as frontend:
        asking = threading.Thread(
            target=lambda: answers.append(requests.post(f"{frontend.url}/api/caption", data=b"x", timeout=60))
        )
        asking.start()
        while not inference.received:
            time.sleep(0.01)

        frontend.process.send_signal(signal.SIGTERM)

        asking.join()
        assert answers[0].json()["alt_text"] == "A brown dog runs through the grass."
        assert frontend.process.wait(timeout=40) == 0


def test_sigterm_ends_it_though_nobody_takes_in_its_log(inference: FakeInference) -> None:
    program = "import sys; from frontend import __main__; from frontend.web import server\n"
    program += "server._DRAIN_SECONDS = 1; sys.exit(__main__.main())"
    variables = {"FRONTEND_PORT": "0", "FRONTEND_INFERENCE_URL": inference.url}
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, env=os.environ | variables, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["message"].removeprefix("listening on ")
        with suppress(requests.Timeout):
            while True:
                requests.get(f"{url}/{'a' * 8_000}", timeout=5)
        process.terminate()

        assert process.wait(40) == 1


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
