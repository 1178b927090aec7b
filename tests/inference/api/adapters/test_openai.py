"""OpenAI's chat completions, by its own client and by what other programs send."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from support.photos import photo_bytes
from support.serving import Serve, Served

from photocaption.api.adapters.sentences import TEXT_ONLY

pytestmark = pytest.mark.anyio

ROUTE = "/v1/chat/completions"
RED = photo_bytes("red")
BLUE = photo_bytes("blue", "JPEG")


def part(photo: bytes) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{base64.b64encode(photo).decode()}"}}


def ask(*photos: bytes) -> list[Any]:
    text = {"type": "text", "text": "Write an alt text for this."}
    return [{"role": "system", "content": "Be brief."}, {"role": "user", "content": [text, *map(part, photos)]}]


def connect(served: Served, key: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{served.url}/v1", api_key=key, max_retries=0)


@pytest.fixture
def client(served: Served) -> Iterator[openai.OpenAI]:
    with connect(served, served.key or "none") as client:
        yield client


@pytest.mark.slow
def test_the_client_finds_the_model(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["image-caption:tiny"]


@pytest.mark.slow
def test_a_completion(client: openai.OpenAI) -> None:
    completion = client.chat.completions.create(model="gpt-4o-mini", messages=ask(RED), max_tokens=100)

    assert completion.choices[0].message.content == "A red square."
    assert completion.choices[0].finish_reason == "stop"
    assert completion.model == "image-caption:tiny"
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 3


@pytest.mark.slow
def test_a_completion_streaming(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="gpt-4o-mini", messages=ask(RED, BLUE), stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)

    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == "Image 1: A red square.\nImage 2: A blue square."
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None


@pytest.mark.slow
def test_an_error_is_one_that_the_client_understands(client: openai.OpenAI, served: Served) -> None:
    with pytest.raises(openai.APIStatusError, match="not a photo") as caught:
        client.chat.completions.create(model="x", messages=ask(b"no photo"))
    assert caught.value.status_code == 415

    with pytest.raises(openai.BadRequestError, match="response_format"):
        client.chat.completions.create(model="x", messages=ask(RED), response_format={"type": "json_object"})

    with pytest.raises(openai.NotFoundError, match="There is nothing at /v1/embeddings"):
        client.embeddings.create(model="x", input="A dog.")

    if served.key:
        with connect(served, "wrong") as stranger, pytest.raises(openai.AuthenticationError, match="not known"):
            stranger.chat.completions.create(model="x", messages=ask(RED))


async def test_a_probe_without_a_photo_gets_a_fixed_sentence(plain_client: httpx.AsyncClient) -> None:
    response = await plain_client.post(ROUTE, json={"messages": [{"role": "user", "content": "Hello!"}]})

    assert response.json()["choices"][0]["message"]["content"] == TEXT_ONLY


async def test_a_stream_is_server_sent_events(plain_client: httpx.AsyncClient) -> None:
    response = await plain_client.post(ROUTE, json={"messages": ask(RED), "stream": True})

    assert response.headers["content-type"].startswith("text/event-stream")
    *chunks, end = [event.removeprefix("data: ") for event in response.text.split("\n\n") if event]
    assert end == "[DONE]"
    assert json.loads(chunks[0])["choices"][0]["delta"] == {"role": "assistant", "content": "A red square."}


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "messages"),
        ({"messages": ask(RED), "n": 2}, "'n'"),
        ({"messages": ask(RED), "tools": [{"type": "function"}]}, "tools"),
        ({"messages": ask(RED), "functions": [{"name": "f"}]}, "tools"),
        ({"messages": ask(RED), "response_format": {"type": "json_schema", "json_schema": {}}}, "response_format"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]}, "type"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "image_url"),
        ({"messages": [{"role": "user", "content": [part(RED) | {"type": "text"}]}]}, "image_url"),
        (
            {"messages": [{"role": "user", "content": [
                {"type": "image_url", "image_url": {"url": "https://example.org/dog.jpg"}}
            ]}]},
            "not fetched",
        ),
        ({"messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "data:image/svg+xml,<svg/>"}}
        ]}]}, "base64"),
    ],
)  # fmt: skip
async def test_what_cannot_be_done_is_refused_in_openais_form(
    plain_client: httpx.AsyncClient, body: dict[str, object], named: str
) -> None:
    response = await plain_client.post(ROUTE, json=body)

    assert response.status_code == 400
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}
    assert named in response.json()["error"]["message"]


async def test_it_can_be_switched_off(serve: Serve) -> None:
    async with serve(openai=False) as client:
        assert (await client.post(ROUTE, json={})).status_code == 404
        assert (await client.get("/v1/models")).status_code == 404
