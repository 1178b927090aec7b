"""Hugging Face's image-to-text, by its own client and by the bodies that its documentation shows."""

import base64

import httpx
import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError
from support.photos import photo_bytes
from support.serving import Serve, Served

pytestmark = pytest.mark.anyio

RED = photo_bytes("red")


@pytest.mark.slow
def test_the_client_gets_a_text(served: Served) -> None:
    client = InferenceClient(base_url=f"{served.url}/huggingface", token=served.key)

    assert client.image_to_text(RED).generated_text == "A red square."
    with pytest.raises(HfHubHTTPError, match="not a photo") as caught:
        client.image_to_text(b"no photo")
    assert caught.value.response.status_code == 415
    with pytest.raises(HfHubHTTPError, match="There is nothing at /huggingface/v1/chat"):
        client.chat_completion([{"role": "user", "content": "Hello?"}])


@pytest.mark.slow
def test_the_client_hears_that_a_key_is_needed(served: Served) -> None:
    if served.key is None:
        pytest.skip("none is")
    with pytest.raises(HfHubHTTPError, match="API key") as caught:
        InferenceClient(base_url=f"{served.url}/huggingface", token=None).image_to_text(RED)
    assert caught.value.response.status_code == 401


async def test_base64_in_inputs_is_a_photo_too(plain_client: httpx.AsyncClient) -> None:
    body = {"inputs": base64.b64encode(RED).decode(), "parameters": {"max_new_tokens": 20}}

    assert (await plain_client.post("/huggingface", json=body)).json() == [{"generated_text": "A red square."}]


async def test_errors_have_its_form(plain_client: httpx.AsyncClient) -> None:
    response = await plain_client.post("/huggingface", json={"parameters": {}})

    assert response.status_code == 400
    assert response.json() == {"error": "The JSON body cannot be used: inputs: field required."}


async def test_it_can_be_switched_off(serve: Serve) -> None:
    async with serve(hugging_face=False) as client:
        assert (await client.post("/huggingface", content=RED)).status_code == 404
