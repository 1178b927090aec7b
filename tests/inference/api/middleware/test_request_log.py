"""Every request leaves an id with the client and one line in the log, and nothing that it should not."""

import logging

import httpx
import pytest
from support.photos import photo_bytes
from support.serving import Serve

from photocaption import keys
from photocaption.serving.logs import JsonFormatter

pytestmark = pytest.mark.anyio

RED = photo_bytes("red")
PNG = {"Content-Type": "image/png"}


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


def access_lines(log: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in log.records if record.name == "photocaption.access"]


async def test_a_request_is_one_line(client: httpx.AsyncClient, log: pytest.LogCaptureFixture) -> None:
    await client.post("/caption", content=RED, headers=PNG)

    (line,) = access_lines(log)
    fields = vars(line)
    assert (fields["method"], fields["path"], fields["status"]) == ("POST", "/caption", 200)
    assert fields["duration_ms"] > 0


async def test_an_id_that_the_caller_sends_is_kept(client: httpx.AsyncClient) -> None:
    response = await client.get("/health/live", headers={"X-Request-ID": "page-7.42"})

    assert response.headers["x-request-id"] == "page-7.42"


@pytest.mark.parametrize("bad", ["", "a b", "x" * 65, '"}', "ä"])
async def test_an_id_that_could_do_harm_is_replaced(client: httpx.AsyncClient, bad: str) -> None:
    response = await client.get("/health/live", headers=[(b"X-Request-ID", bad.encode())])

    assert response.headers["x-request-id"] not in ("", bad)


async def test_probes_are_quiet(client: httpx.AsyncClient, log: pytest.LogCaptureFixture) -> None:
    await client.get("/health/ready")

    assert access_lines(log) == []


async def test_neither_keys_nor_photos_are_logged(serve: Serve, log: pytest.LogCaptureFixture) -> None:
    log.set_level(logging.DEBUG)
    key, entry = keys.make_key("someone")
    photo = b"\x89PNG marked bytes of a photo"
    async with serve(api_keys=(entry,)) as client:
        await client.post("/caption", content=photo, headers=PNG | {"Authorization": f"Bearer {key}"})

    text = "\n".join(JsonFormatter().format(record) for record in log.records)
    assert access_lines(log)
    assert key not in text
    assert "marked bytes" not in text
