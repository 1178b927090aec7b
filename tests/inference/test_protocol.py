"""Connections that send slowly, too much, or nonsense: each is answered and ended, and nobody else has to wait."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import httpx
import pytest
from support.photos import photo_bytes
from support.raw_http import RawConnection, request_head
from support.service_process import ServiceProcess, run_service
from support.waiting import wait_for

pytestmark = pytest.mark.slow

RED = photo_bytes("red")
PNG = {"Content-Type": "image/png"}
LIVE = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"
MODEL = b"GET /model HTTP/1.1\r\nHost: a\r\n\r\n"
LARGE_ANSWER = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = b"POST /caption HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def service(tiny_bundle: Path) -> Iterator[ServiceProcess]:
    """Impatient enough for a test."""
    limits = {"header_seconds": 1, "body_seconds": 1.5, "max_body_bytes": 10**6, "max_header_bytes": 8192}
    with run_service(tiny_bundle, **limits) as service:
        yield service


def check_refusal(connection: RawConnection, status: int, slug: str) -> None:
    response, body = connection.answer()
    assert response.status == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = json.loads(body)
    assert problem["type"].endswith(f":{slug}")
    assert problem["detail"].endswith(".")
    assert connection.is_closed()


@pytest.mark.parametrize("begun", [b"", b"P", b"POST /caption HTTP/1.1\r\nHost: a\r\n"])
def test_headers_that_never_end_are_timed_out(service: ServiceProcess, begun: bytes) -> None:
    with RawConnection(service.port) as connection:
        check_refusal(connection.send(begun), 408, "request-timeout")


def test_a_drop_now_and_then_does_not_extend_the_time(service: ServiceProcess) -> None:
    with RawConnection(service.port) as connection:
        start = time.monotonic()
        connection.drip(b"GET /model HTTP/1.1\r\nX-Slow: " + b"a" * 100, interval=0.1)

        assert time.monotonic() - start < 8


def test_a_body_that_never_ends_is_timed_out(service: ServiceProcess) -> None:
    with RawConnection(service.port) as connection:
        check_refusal(connection.send(request_head(len(RED)) + RED[:20]), 408, "request-timeout")


def test_a_second_request_on_a_connection_has_the_same_limits(service: ServiceProcess) -> None:
    with RawConnection(service.port) as connection:
        response, _ = connection.send(request_head(len(RED)) + RED).answer()
        assert response.status == 200

        check_refusal(connection.send(b"GET /mod"), 408, "request-timeout")


@pytest.mark.parametrize("request_line", [b"GET /model", b"HEAD /model", b"GET /health/live", b"POST /nowhere"])
def test_an_answer_is_sent_at_once(service: ServiceProcess, request_line: bytes) -> None:
    with RawConnection(service.port) as connection:
        connection.send(request_line + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        head, _, body = connection.rest().partition(b"\r\n\r\n")

        assert head.startswith(b"HTTP/1.1 ")
        assert bool(body) == (not request_line.startswith(b"HEAD"))
        assert connection.count_packets() == 1


def test_a_client_that_goes_away_in_the_middle_of_an_answer_is_logged_once(service: ServiceProcess) -> None:
    for _ in range(20):
        with RawConnection(service.port) as connection:
            connection.send(LARGE_ANSWER)
            connection.answer_begins()
    httpx.get(f"{service.url}/model")

    assert not [line for line in service.log if '"asyncio"' in line]


def test_an_honest_connection_is_kept_for_many_requests(service: ServiceProcess) -> None:
    with RawConnection(service.port) as connection:
        for _ in range(3):
            response, body = connection.send(request_head(len(RED)) + RED).answer()
            assert response.status == 200
            assert json.loads(body)["caption"] == "a red square"
            time.sleep(0.6)  # longer than the limit on headers in all, which must not go on while idle


UPGRADES = {
    "h2c": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk\r\n",
    "websocket": b"Upgrade: websocket\r\nConnection: keep-alive, upgrade\r\n",
}


@pytest.mark.parametrize("upgrade", UPGRADES.values(), ids=UPGRADES)
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("piece", [1, 50, 100_000])
def test_a_wish_for_another_protocol_is_ignored(
    service: ServiceProcess, upgrade: bytes, chunked: bool, piece: int
) -> None:
    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(RED)
    head = b"POST /caption HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\n" + upgrade + framing + b"\r\n\r\n"
    request = head + (b"%x\r\n%b\r\n0\r\n\r\n" % (len(RED), RED) if chunked else RED)
    with RawConnection(service.port) as connection:
        for _ in range(2):
            for begin in range(0, len(request), piece):
                connection.send(request[begin : begin + piece])
            response, body = connection.answer()

            assert response.status == 200
            assert json.loads(body)["caption"] == "a red square"


@pytest.mark.parametrize("upgrade", UPGRADES.values(), ids=UPGRADES)
def test_a_wish_for_another_protocol_hides_nothing(service: ServiceProcess, upgrade: bytes) -> None:
    head = b"POST /caption HTTP/1.1\r\nHost: a\r\n" + upgrade
    for rest, status, slug in [
        (b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "malformed-request"),
        (b"Transfer-Encoding: chunked\r\n\r\n0\r\na: b\r\n\r\n", 400, "malformed-request"),
        (b"X-Long: " + b"a" * 20_000 + b"\r\n\r\n", 431, "headers-too-large"),
        (b"Content-Length: 100\r\n\r\nx", 408, "request-timeout"),
    ]:
        with RawConnection(service.port) as connection:
            check_refusal(connection.send(head + rest), status, slug)


def test_what_follows_a_wish_for_another_protocol_is_not_looked_at(service: ServiceProcess) -> None:
    wish = LIVE.replace(b"\r\n\r\n", b"\r\n" + UPGRADES["h2c"] + b"\r\n")
    with RawConnection(service.port) as connection:
        response, body = connection.send(wish * 500).answer()

        assert json.loads(body) == {"status": "alive"}
        assert response.headers["connection"] == "close"
        assert connection.rest() == b""


def test_a_wish_to_close_is_kept_beside_one_for_another_protocol(service: ServiceProcess) -> None:
    with RawConnection(service.port) as connection:
        connection.send(b"GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n")

        assert connection.answer()[0].status == 200
        assert connection.is_closed()


@pytest.mark.parametrize("ahead", [1, 5_000])
def test_what_is_sent_before_the_answer_is_not_looked_at(service: ServiceProcess, ahead: int) -> None:
    with RawConnection(service.port) as connection:
        connection.send(LIVE + MODEL * ahead)
        response, body = connection.answer()

        assert json.loads(body) == {"status": "alive"}
        assert response.headers["connection"] == "close"
        assert connection.rest() == b""


@pytest.mark.parametrize(
    "head",
    [
        b"GET /model HTTP/1.1\r\nX-Long: " + b"a" * 20_000,
        b"GET /model HTTP/1.1\r\n" + b"X-Many: a\r\n" * 2_000,
        b"GET /" + b"a" * 20_000,
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
    ids=["one long header", "many headers", "an endless address", "a long address"],
)
def test_a_flood_of_headers_is_cut_off(service: ServiceProcess, head: bytes) -> None:
    with RawConnection(service.port) as connection:
        check_refusal(connection.send(head), 431, "headers-too-large")


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"hello\r\n\r\n",
        b"GET /model HTTP/9.9\r\n\r\n",
        b"POST /caption HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /caption HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /caption HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /caption HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"GET /model HTTP/1.1\r\nbad header: a\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused(service: ServiceProcess, nonsense: bytes) -> None:
    with RawConnection(service.port) as connection:
        check_refusal(connection.send(nonsense), 400, "malformed-request")


def test_a_body_that_is_too_large_is_answered_although_it_is_still_being_sent(service: ServiceProcess) -> None:
    with RawConnection(service.port) as connection:
        connection.send(request_head(10**9) + b"x" * 200_000)
        response, _ = connection.answer()
        assert response.status == 413

        start = time.monotonic()
        assert connection.is_closed()
        assert time.monotonic() - start < 5


def test_a_refused_body_is_not_kept_with_its_connection(service: ServiceProcess) -> None:
    body = bytes(250_000)
    refused = request_head(len(body), content_type="text/plain") + body
    with ExitStack() as stack:
        connections = [stack.enter_context(RawConnection(service.port)) for _ in range(80)]
        before = service.megabytes()
        statuses = [connection.send(refused).answer()[0].status for connection in connections]

        assert set(statuses) == {415}
        assert service.megabytes() - before < 8


@pytest.mark.parametrize("keep", [b"keep-alive", b"close"])
def test_an_answer_that_came_before_the_body_is_not_lost_when_the_body_comes(
    service: ServiceProcess, keep: bytes
) -> None:
    head = request_head(2 * 10**6).replace(b"\r\n\r\n", b"\r\nConnection: " + keep + b"\r\n\r\n")
    with RawConnection(service.port) as connection:
        connection.send(head)
        time.sleep(0.3)  # the answer is there by now
        for _ in range(20):
            connection.send(b"x" * 10**5)
            time.sleep(0.01)

        assert connection.answer()[0].status == 413


def test_a_chunked_body_is_counted(service: ServiceProcess) -> None:
    with RawConnection(service.port) as connection:
        connection.send(CHUNKED + (b"10000\r\n" + b"x" * 0x10000 + b"\r\n") * 20)

        assert connection.answer()[0].status == 413


@pytest.mark.parametrize("piece", [20, 1000, len(RED)])
def test_a_photo_in_chunks_is_captioned(service: ServiceProcess, piece: int) -> None:
    pieces = [RED[start : start + piece] for start in range(0, len(RED), piece)]
    body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in [*pieces, b""])
    with RawConnection(service.port) as connection:
        for _ in range(2):
            response, answer = connection.send(CHUNKED + body).answer()

            assert response.status == 200
            assert json.loads(answer)["caption"] == "a red square"


@pytest.mark.parametrize("trailer", [b"a:b\r\nc", b"a:b\r\n\r\n"], ids=["two begun", "one whole"])
def test_trailers_are_refused(service: ServiceProcess, trailer: bytes) -> None:
    with RawConnection(service.port) as connection:
        check_refusal(connection.send(CHUNKED + b"5\r\nhello\r\n0\r\n" + trailer), 400, "malformed-request")


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (b"0\r\n", b"a:b\r\n"),
        (b"0\r\na:", b"x"),
        (b"0\r\n", b"x"),
        (b"5;", b"x"),
        (b"5;", b"a=b;"),
        (b"", b"0"),
        (b"", b"1\r\nx\r\n"),
    ],
    ids=["trailers", "an endless trailer", "a name", "an extension", "extensions", "a size", "tiny chunks"],
)
def test_what_comes_beside_a_body_is_bounded(service: ServiceProcess, start: bytes, more: bytes) -> None:
    before = service.megabytes()
    with RawConnection(service.port) as connection:
        connection.send(CHUNKED + b"5\r\nhello\r\n" + start)
        flooded = connection.flood(more * 20_000, times=600)

    assert flooded < 12 * 10**6  # of which both ends' sockets hold the most
    assert service.megabytes() - before < 20


@pytest.mark.alone
def test_two_hundred_slow_clients_keep_nobody_waiting(tiny_bundle: Path) -> None:
    with run_service(tiny_bundle) as service, ExitStack() as stack:
        for number in range(200):
            connection = stack.enter_context(RawConnection(service.port))
            connection.send(b"POST /caption HT" if number % 2 else request_head(10**6) + b"x" * 100)

        with httpx.Client(timeout=5) as client:  # half of what the slow ones may take
            for _ in range(5):
                assert client.post(f"{service.url}/caption", content=RED, headers=PNG).status_code == 200


def test_beyond_the_limit_of_connections_the_slowest_sender_makes_room(tiny_bundle: Path) -> None:
    with run_service(tiny_bundle, max_connections=5, header_seconds=60) as service, ExitStack() as stack:
        slow = [stack.enter_context(RawConnection(service.port)).send(b"GET /slow") for _ in range(5)]
        time.sleep(0.2)

        assert httpx.post(f"{service.url}/caption", content=RED, headers=PNG, timeout=60).status_code == 200
        assert slow[0].is_closed()


def test_beyond_it_the_address_that_has_most_makes_room(tiny_bundle: Path) -> None:
    with run_service(tiny_bundle, max_connections=5) as service, ExitStack() as stack:
        elder = stack.enter_context(RawConnection(service.port, source="127.0.0.2"))
        elder.send(LIVE).answer()
        others = [stack.enter_context(RawConnection(service.port)).send(b"GET /slow") for _ in range(20)]

        assert all(other.is_closed() for other in others[:16])
        assert elder.send(LIVE).answer()[0].status == 200


@pytest.mark.parametrize("held", [b"", LIVE, LARGE_ANSWER], ids=["sends nothing", "idle", "reads nothing"])
def test_beyond_it_whoever_keeps_a_connection_makes_room(tiny_bundle: Path, held: bytes) -> None:
    with run_service(tiny_bundle, max_connections=5) as service, ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(RawConnection(service.port, reads=False)).send(held)

            assert httpx.get(f"{service.url}/health/live", timeout=60).status_code == 200


def test_answers_that_nobody_reads_take_no_memory_and_end(tiny_bundle: Path) -> None:
    with run_service(tiny_bundle, reading_seconds=5) as service, ExitStack() as stack:
        before = service.megabytes()
        readers = [stack.enter_context(RawConnection(service.port, reads=False)) for _ in range(100)]
        for reader in readers:
            reader.send(LARGE_ANSWER * 8)
        most = before
        for _ in range(40):  # so that a busy machine gets to all of them
            time.sleep(0.1)
            most = max(most, service.megabytes())

        assert most - before < 60  # an answer has 1.5 megabytes
        files = partial(service.metric, "process_open_fds")
        wait_for(lambda: files() < 60, lambda: f"{files()} files are open", seconds=30)


def test_a_slow_reader_gets_its_whole_answer(tiny_bundle: Path) -> None:
    with run_service(tiny_bundle) as service, RawConnection(service.port, reads=False) as connection:
        connection.send(LARGE_ANSWER)
        time.sleep(1)
        response, body = connection.answer()

        assert len(body) == int(response.headers["content-length"]) > 10**6
        assert connection.send(LIVE).answer()[0].status == 200


def test_bursts_of_connections_leave_files_for_everything_else(tiny_bundle: Path) -> None:
    with run_service(tiny_bundle) as service, ExitStack() as stack:
        service.allow_files(1024)
        for _ in range(900):
            stack.enter_context(RawConnection(service.port))
        service.resume_after(lambda: [stack.enter_context(RawConnection(service.port)) for _ in range(900)])

        assert httpx.post(f"{service.url}/caption", content=RED, headers=PNG, timeout=60).status_code == 200
        assert service.metric("process_open_fds") < 700
        assert not any("no file is left" in line for line in service.log)
