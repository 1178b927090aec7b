"""What all protocols share: limits, keys, a full queue, and how an unsure caption is told."""

import asyncio
import base64
import json
import textwrap
import tracemalloc
from typing import Any

import httpx
import pytest
from support.gated_captioner import GatedCaptioner
from support.photos import photo_bytes
from support.problems import check_problem
from support.serving import Serve

from photocaption import keys
from photocaption.api.json_body import MAX_VALUES, decode_photos

pytestmark = pytest.mark.anyio

RED = photo_bytes("red")
BASE64 = base64.b64encode(RED).decode()
DATA_URI = f"data:image/png;base64,{BASE64}"

Json = dict[str, Any]


def chat(url: str = DATA_URI) -> Json:
    return {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]}


BODIES: dict[str, Json] = {
    "/api/generate": {"images": [BASE64], "stream": False},
    "/api/chat": {"messages": [{"role": "user", "images": [BASE64]}], "stream": False},
    "/v1/chat/completions": chat(),
    "/huggingface": {"inputs": BASE64},
    "/caption": {"images": [DATA_URI]},
}


def find_text(answer: Any) -> str:  # noqa: ANN401
    """The sentence in an answer of any protocol."""
    match answer:
        case {"response": str(text)} | {"message": {"content": str(text)}}:
            return text
        case {"choices": [{"message": {"content": str(text)}}]}:
            return text
        case [{"generated_text": str(text)}] | {"result": {"caption": {"text": str(text)}}}:
            return text
    raise AssertionError(answer)


def find_error(answer: Json) -> str:
    """What an error of any protocol says."""
    error = answer["error"]
    return str(error["message"] if isinstance(error, dict) else error)


@pytest.mark.parametrize("path", BODIES)
async def test_an_unsure_caption_is_hedged_by_default(serve: Serve, path: str) -> None:
    async with serve(unsure_below=1) as client:
        assert find_text((await client.post(path, json=BODIES[path])).json()) == "Perhaps: A red square."


@pytest.mark.parametrize("path", BODIES)
async def test_a_sure_caption_is_not(serve: Serve, path: str) -> None:
    async with serve(unsure_below=0) as client:
        assert find_text((await client.post(path, json=BODIES[path])).json()) == "A red square."


@pytest.mark.parametrize("path", BODIES)
async def test_an_unsure_caption_can_be_refused(serve: Serve, path: str) -> None:
    async with serve(unsure="refusal", unsure_below=1) as client:
        response = await client.post(path, json=BODIES[path])

    assert response.status_code == 422
    assert "not sure enough" in find_error(response.json())


async def test_our_own_answer_has_its_confidence_and_no_hedge(serve: Serve) -> None:
    async with serve(unsure="refusal", unsure_below=1) as client:
        response = await client.post("/caption", json={"image": BASE64})

    assert response.json()["alt_text"] == "A red square."


@pytest.mark.parametrize("path", BODIES)
async def test_a_key_is_needed_where_keys_are_set(serve: Serve, path: str) -> None:
    key, entry = keys.make_key("someone")
    async with serve(api_keys=(entry,), rate_limit=1) as client:
        refused = await client.post(path, json=BODIES[path])
        accepted = await client.post(path, json=BODIES[path], headers={"Authorization": f"Bearer {key}"})
        limited = await client.post(path, json=BODIES[path], headers={"Authorization": f"Bearer {key}"})

    assert [refused.status_code, accepted.status_code, limited.status_code] == [401, 200, 429]
    assert refused.headers["www-authenticate"] == "Bearer"
    assert 1 <= int(limited.headers["retry-after"]) <= 60


@pytest.mark.parametrize("path", ["/api/tags", "/api/version", "/v1/models"])
async def test_a_key_is_needed_to_ask_for_the_model(serve: Serve, path: str) -> None:
    key, entry = keys.make_key("someone")
    async with serve(api_keys=(entry,)) as client:
        assert (await client.get(path)).status_code == 401
        assert (await client.get(path, headers={"Authorization": f"Bearer {key}"})).status_code == 200


@pytest.mark.parametrize("path", [path for path in BODIES if path != "/caption"])
async def test_a_full_queue_is_told_in_the_protocols_form(serve: Serve, model: GatedCaptioner, path: str) -> None:
    async with serve(queue_size=1) as client:
        model.gate.clear()
        first = asyncio.ensure_future(client.post("/caption", content=photo_bytes("blue")))
        while client.service._scheduler.depth == 0:  # type: ignore[attr-defined]
            await asyncio.sleep(0.01)

        response = await client.post(path, json=BODIES[path])

        assert response.status_code == 429
        assert int(response.headers["retry-after"]) >= 1
        assert "busy" in find_error(response.json())
        assert response.headers["x-request-id"]
        model.gate.set()
        assert (await first).status_code == 200


@pytest.mark.parametrize("path", BODIES)
async def test_base64_counts_by_what_it_decodes_to(serve: Serve, path: str) -> None:
    size = len(RED)
    async with serve(max_body_bytes=size) as client:
        assert (await client.post(path, json=BODIES[path])).status_code == 200
    async with serve(max_body_bytes=size - 1) as client:
        response = await client.post(path, json=BODIES[path])

    assert response.status_code == 413
    assert f"{size - 1} bytes" in find_error(response.json())


async def test_a_json_body_is_bounded_while_it_arrives(serve: Serve) -> None:
    async with serve(max_body_bytes=1000) as client:
        body = b'{"images": [], "prompt": "' + b"x" * (2**20 + 2000) + b'"}'
        response = await client.post("/api/generate", content=body, headers={"Content-Type": "application/json"})

    assert response.status_code == 413


@pytest.mark.parametrize("filling", [b"[],", b"{},", b"0,", b'"",'])
async def test_a_body_of_countless_values_is_refused_before_it_is_parsed(
    plain_client: httpx.AsyncClient, filling: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[bytes] = []
    monkeypatch.setattr("photocaption.api.adapters.ollama.GenerateRequest.model_validate_json", parsed.append)
    body = b'{"context": [' + filling * (MAX_VALUES + 1) + b"0]}"

    response = await plain_client.post("/api/generate", content=body, headers={"Content-Type": "application/json"})

    assert response.status_code == 400
    assert not parsed


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 10_000, b'{"images": [1e999]}', b'{"inputs": "\\ud800"}']
)
async def test_what_is_no_such_json_is_refused(plain_client: httpx.AsyncClient, path: str, body: bytes) -> None:
    response = await plain_client.post(path, content=body, headers={"Content-Type": "application/json"})

    assert response.status_code == 400
    assert "Traceback" not in response.text


async def test_a_compressed_body_is_refused(plain_client: httpx.AsyncClient) -> None:
    for path, body in BODIES.items():
        response = await plain_client.post(path, json=body, headers={"Content-Encoding": "gzip"})
        assert response.status_code == 415, path


@pytest.mark.parametrize("text", [BASE64.rstrip("="), "\r\n".join(textwrap.wrap(BASE64, 76))])
async def test_base64_may_be_wrapped_or_without_padding(plain_client: httpx.AsyncClient, text: str) -> None:
    response = await plain_client.post("/caption", json={"image": text})

    assert response.json()["caption"] == "a red square"


async def test_base64_in_countless_pieces_takes_no_memory_for_each() -> None:
    text = "ab " * 10**6
    tracemalloc.start()
    try:
        (photo,) = await decode_photos([text], most=1, most_bytes=2**21)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert len(photo) == 1_500_000
    assert peak < 4 * len(text)


@pytest.mark.parametrize("text", ["a\u3000b", "\ud83d\ude00", "YWJj*"])
async def test_what_is_no_base64_is_refused(plain_client: httpx.AsyncClient, text: str) -> None:
    body = json.dumps({"image": text}).encode()
    response = await plain_client.post("/caption", content=body, headers={"Content-Type": "application/json"})

    assert check_problem(response, 400, "malformed-request")["detail"] == "A photo is not valid base64."


async def test_an_answer_that_nobody_expected_has_the_protocols_form(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve() as client:
        monkeypatch.setattr("photocaption.api.adapters.ollama.write_sentences", lambda *_: 1 / 0)
        response = await client.post("/api/generate", json=BODIES["/api/generate"])

    assert response.status_code == 500
    assert set(response.json()) == {"error"}
    assert "ZeroDivision" not in response.text


async def test_requests_are_counted_by_route(plain_client: httpx.AsyncClient) -> None:
    await plain_client.post("/api/generate", json=BODIES["/api/generate"])

    metrics = (await plain_client.get("/metrics")).text
    assert 'caption_requests_total{method="POST",route="/api/generate",status="200"} 1.0' in metrics


@pytest.mark.parametrize(
    "path", ["/api/pull", "/v1/embeddings", "/v1/models/llava", "/huggingface/v1/chat/completions"]
)
async def test_what_a_protocol_has_and_the_service_lacks_is_refused_in_the_protocols_form(
    plain_client: httpx.AsyncClient, path: str
) -> None:
    response = await plain_client.post(path, json={})

    assert response.status_code == 404
    assert find_error(response.json()) == f"There is nothing at {path}."
