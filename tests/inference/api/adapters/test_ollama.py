"""Ollama's protocol, by its own client and by what other programs send."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import ollama
import pytest
from support.photos import photo_bytes
from support.serving import Serve, Served

from photocaption.api.adapters.sentences import TEXT_ONLY

pytestmark = pytest.mark.anyio

RED = photo_bytes("red")
BLUE = photo_bytes("blue", "JPEG")


def encode(photo: bytes) -> str:
    return base64.b64encode(photo).decode()


@pytest.fixture
def client(served: Served) -> Iterator[ollama.Client]:
    headers = {"Authorization": f"Bearer {served.key}"} if served.key else None
    with ollama.Client(served.url, headers=headers) as client:
        yield client


@pytest.mark.slow
def test_the_client_finds_a_model_that_sees(client: ollama.Client) -> None:
    (model,) = client.list().models
    shown = client.show(str(model.model))

    assert model.model == "image-caption:tiny"
    assert model.size
    assert model.size > 0
    assert shown.capabilities is not None
    assert "vision" in shown.capabilities
    assert shown.modelinfo


@pytest.mark.slow
def test_generate(client: ollama.Client) -> None:
    answer = client.generate("llava", "Describe this photo.", images=[RED])

    assert answer.response == "A red square."
    assert (answer.done, answer.model) == (True, "image-caption:tiny")


@pytest.mark.slow
def test_generate_streaming(client: ollama.Client) -> None:
    pieces = list(client.generate("llava", "Describe this photo.", images=[RED], stream=True))

    assert "".join(piece.response or "" for piece in pieces) == "A red square."
    assert [bool(piece.done) for piece in pieces] == [False, True]
    assert pieces[-1].done_reason == "stop"


@pytest.mark.slow
def test_chat(client: ollama.Client) -> None:
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "You describe photos."},
        {"role": "user", "content": "What is this?", "images": [RED, BLUE]},
    ]

    assert client.chat("llava", messages).message.content == "Image 1: A red square.\nImage 2: A blue square."
    streamed = client.chat("llava", messages, stream=True)
    assert "".join(piece.message.content or "" for piece in streamed).count("square") == 2


@pytest.mark.slow
def test_an_error_is_one_that_the_client_understands(client: ollama.Client, served: Served) -> None:
    with pytest.raises(ollama.ResponseError, match="not a photo") as caught:
        client.generate("llava", images=[b"no photo"])
    assert caught.value.status_code == 415

    with pytest.raises(ollama.ResponseError, match=r"^There is nothing at /api/pull\. ") as caught:
        client.pull("llava")
    assert caught.value.status_code == 404

    if served.key:
        with (
            ollama.Client(served.url) as stranger,
            pytest.raises(ollama.ResponseError, match="API key") as caught,
        ):
            stranger.generate("llava", images=[RED])
        assert caught.value.status_code == 401


async def test_streaming_is_the_default_and_lines_of_json(plain_client: httpx.AsyncClient) -> None:
    response = await plain_client.post("/api/generate", json={"model": "llava", "images": [encode(RED)]})

    assert response.headers["content-type"].startswith("application/x-ndjson")
    first, last = (json.loads(line) for line in response.text.splitlines())
    assert (first["response"], first["done"]) == ("A red square.", False)
    assert (last["response"], last["done"]) == ("", True)
    assert last["total_duration"] > 0


async def test_curl_that_names_no_json_is_understood(plain_client: httpx.AsyncClient) -> None:
    body = json.dumps({"model": "x", "stream": False, "images": [encode(RED)]})
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    response = await plain_client.post("/api/generate", content=body, headers=form)

    assert response.json()["response"] == "A red square."


async def test_the_photos_of_the_last_message_that_has_any_are_described(plain_client: httpx.AsyncClient) -> None:
    messages = [
        {"role": "user", "content": "And this?", "images": [encode(BLUE)]},
        {"role": "user", "content": "This?", "images": [encode(RED)]},
        {"role": "assistant", "content": "A red square."},
        {"role": "user", "content": "Go on."},
    ]

    response = await plain_client.post("/api/chat", json={"messages": messages, "stream": False})

    assert response.json()["message"] == {"role": "assistant", "content": "A red square."}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/generate", {"model": "x", "prompt": "Hello?"}),
        ("/api/generate", {"model": "x"}),
        ("/api/chat", {"model": "x", "messages": [{"role": "user", "content": "Hello?"}]}),
        ("/api/chat", {"model": "x", "messages": []}),
    ],
)
async def test_a_probe_without_a_photo_gets_a_fixed_sentence(
    plain_client: httpx.AsyncClient, path: str, body: dict[str, object]
) -> None:
    response = await plain_client.post(path, json=body | {"stream": False})

    assert response.status_code == 200
    assert TEXT_ONLY in (response.json().get("response"), response.json().get("message", {}).get("content"))


@pytest.mark.parametrize(
    ("path", "extra", "named"),
    [
        ("/api/generate", {"format": "json"}, "format"),
        ("/api/generate", {"format": {"type": "object"}}, "format"),
        ("/api/chat", {"messages": [], "format": "json"}, "format"),
        ("/api/chat", {"messages": [], "tools": [{"type": "function"}]}, "tools"),
        ("/api/chat", {}, "messages"),
        ("/api/generate", {"images": "text"}, "images"),
        ("/api/generate", {"images": ["https://example.org/dog.jpg"]}, "not fetched"),
        ("/api/generate", {"images": ["%%%"]}, "base64"),
        ("/api/generate", {"images": [""]}, "0 bytes"),
        ("/api/generate", {"images": [encode(RED)] * 17}, "at most 16"),
    ],
)
async def test_what_cannot_be_done_is_refused_in_ollamas_form(
    plain_client: httpx.AsyncClient, path: str, extra: dict[str, object], named: str
) -> None:
    response = await plain_client.post(path, json={"model": "x"} | extra)

    assert response.status_code == 400
    assert response.headers["content-type"] == "application/json"
    assert set(response.json()) == {"error"}
    assert named in response.json()["error"]


async def test_one_bad_photo_of_several_fails_them_all(plain_client: httpx.AsyncClient) -> None:
    response = await plain_client.post("/api/generate", json={"images": [encode(RED), encode(b"no photo")]})

    assert response.status_code == 415


@pytest.mark.parametrize("extra", [{"format": ""}, {"format": None}, {"options": {"num_ctx": 4096}, "keep_alive": -1}])
async def test_what_makes_no_difference_is_accepted(plain_client: httpx.AsyncClient, extra: dict[str, object]) -> None:
    response = await plain_client.post("/api/generate", json={"images": [encode(RED)], "stream": False} | extra)

    assert response.json()["response"] == "A red square."


async def test_it_can_be_switched_off(serve: Serve) -> None:
    async with serve(ollama=False) as client:
        assert (await client.get("/api/version")).status_code == 404
        assert (await client.post("/api/generate", json={})).status_code == 404
