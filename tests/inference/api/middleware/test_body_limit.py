"""Bodies are bounded one by one and all together, whatever their headers say."""

import asyncio
import base64
import tracemalloc
from collections.abc import AsyncIterator

import httpx
import pytest
from support.gated_captioner import GatedCaptioner
from support.photos import photo_bytes
from support.problems import check_problem
from support.serving import Serve

pytestmark = pytest.mark.anyio

RED = photo_bytes("red")
PNG = {"Content-Type": "image/png"}
KILOBYTE = b"x" * 1024
FORM = b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\n'


async def chunks(count: int, sent: list[int]) -> AsyncIterator[bytes]:
    for number in range(count):
        sent.append(number)
        yield KILOBYTE


async def test_a_declared_length_beyond_the_limit_is_refused_before_it_is_read(serve: Serve) -> None:
    sent: list[int] = []
    async with serve(max_body_bytes=10_000) as client:
        headers = PNG | {"Content-Length": "20480"}
        response = await client.post("/caption", content=chunks(20, sent), headers=headers)

    assert "10000 bytes" in check_problem(response, 413, "body-too-large")["detail"]
    assert sent == []


async def test_a_body_without_a_length_is_counted_while_it_streams(serve: Serve) -> None:
    sent: list[int] = []
    async with serve(max_body_bytes=10_000) as client:
        response = await client.post("/caption", content=chunks(10_000, sent), headers=PNG)

    check_problem(response, 413, "body-too-large")
    assert len(sent) == 10


async def test_a_body_that_lies_about_its_length_is_counted_all_the_same(serve: Serve) -> None:
    async with serve(max_body_bytes=10_000) as client:
        response = await client.post("/caption", content=chunks(20, []), headers=PNG | {"Content-Length": "5"})

    check_problem(response, 413, "body-too-large")


@pytest.mark.parametrize("length", ["-1", "1e9", "²", "", "99999999999999999999999999"])
async def test_an_odd_length_is_no_way_around(serve: Serve, length: str) -> None:
    async with serve(max_body_bytes=10_000) as client:
        headers = [(b"content-type", b"image/png"), (b"content-length", length.encode())]
        response = await client.post("/caption", content=chunks(20, []), headers=headers)

    check_problem(response, 413, "body-too-large")


async def test_a_body_of_exactly_the_limit_is_read(serve: Serve) -> None:
    async with serve(max_body_bytes=len(RED)) as client:
        assert (await client.post("/caption", content=RED, headers=PNG)).status_code == 200


async def test_multipart_bodies_are_bounded_too(serve: Serve) -> None:
    async with serve(max_body_bytes=10_000) as client:
        response = await client.post("/caption", files={"image": ("photo", KILOBYTE * 11)})

    check_problem(response, 413, "body-too-large")


async def test_uploads_that_together_exceed_the_buffer_are_told_to_come_back(serve: Serve) -> None:
    release = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield KILOBYTE * 9
        await release.wait()

    async with serve(max_buffered_bytes=10_000) as client:
        holding = asyncio.create_task(client.post("/caption", content=slow(), headers=PNG))
        await asyncio.sleep(0.05)
        refused = await client.post("/caption", content=KILOBYTE * 2, headers=PNG)
        release.set()
        await holding
        accepted = await client.post("/caption", content=KILOBYTE * 2, headers=PNG)

    assert check_problem(refused, 429, "queue-full")["retry_after"] >= 1
    assert accepted.status_code == 415  # read, and found to be no photo


async def test_a_photo_that_waits_for_the_model_holds_no_buffer(serve: Serve, model: GatedCaptioner) -> None:
    async with serve(max_buffered_bytes=len(RED) + 10) as client:
        model.gate.clear()
        waiting = asyncio.create_task(client.post("/caption", content=RED, headers=PNG))
        while len(model.batches) < 2:
            await asyncio.sleep(0.001)
        refused = await client.post("/caption", content=RED[:60], headers=PNG)
        model.gate.set()

        check_problem(refused, 422, "undecodable-image")
        assert (await waiting).status_code == 200


@pytest.mark.parametrize(
    ("path", "head", "end"),
    [
        ("/caption", b"", b""),
        ("/caption", FORM, b"\r\n--x--\r\n"),
        ("/captions", FORM, b"\r\n--x--\r\n"),
        ("/caption", b'{"image": "', b'"}'),
        ("/caption", b'{"images": ["', b'"]}'),
        ("/huggingface", b'{"inputs": "', b'"}'),
        ("/huggingface", b"", b""),
        ("/phanpy", b"", b""),
        ("/api/generate", b'{"images": ["', b'"]}'),
        ("/api/chat", b'{"messages": [{"role": "user", "images": ["', b'"]}]}'),
        (
            "/v1/chat/completions",
            b'{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:;base64,',
            b'"}}]}]}',
        ),
    ],
)
async def test_a_photo_that_waits_for_the_model_is_not_in_memory(
    serve: Serve, model: GatedCaptioner, path: str, head: bytes, end: bytes
) -> None:
    photo = photo_bytes("red", "JPEG") + bytes(4 * 2**20)
    kind = {b"": "image/png", b"-": "multipart/form-data; boundary=x"}.get(head[:1], "application/json")
    body = head + (base64.b64encode(photo) if kind == "application/json" else photo) + end
    async with serve(workers=4) as client:
        begun = len(model.batches)
        model.gate.clear()
        tracemalloc.start()
        try:
            waiting = [asyncio.create_task(_send_in_pieces(client, path, body, kind)) for _ in range(4)]
            while len(model.batches) < begun + 4:
                assert not any(answer.done() for answer in waiting)
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)  # threads that have decoded let go of it, too
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            model.gate.set()

        assert [(await answer).status_code for answer in waiting] == [200] * 4
    assert held < len(photo)


async def _send_in_pieces(client: httpx.AsyncClient, path: str, body: bytes, kind: str) -> httpx.Response:
    """As a connection brings it: nobody but the service has it whole."""

    async def pieces() -> AsyncIterator[bytes]:
        for first in range(0, len(body), 2**16):
            yield body[first : first + 2**16]

    return await client.post(path, content=pieces(), headers={"Content-Type": kind})


async def test_json_counts_twice_for_it_is_decoded(serve: Serve) -> None:
    body = b'{"image": "' + base64.b64encode(RED) + b'"}'
    in_json = {"Content-Type": "application/json"}
    async with serve(max_buffered_bytes=2 * len(body)) as client:
        accepted = await client.post("/caption", content=body, headers=in_json)
    async with serve(max_buffered_bytes=2 * len(body) - 1) as client:
        refused = await client.post("/caption", content=body, headers=in_json)

    assert (accepted.status_code, refused.status_code) == (200, 429)


async def test_a_refused_request_gives_its_buffer_back(serve: Serve) -> None:
    async with serve(max_body_bytes=5_000, max_buffered_bytes=10_000) as client:
        for _ in range(10):
            response = await client.post("/caption", content=chunks(6, []), headers=PNG)
            check_problem(response, 413, "body-too-large")


async def test_a_client_error_in_a_large_upload_is_not_hidden_by_its_size(client: httpx.AsyncClient) -> None:
    response = await client.post("/caption", content=KILOBYTE * 1000, headers={"Content-Type": "text/plain"})

    check_problem(response, 415, "unsupported-type")
