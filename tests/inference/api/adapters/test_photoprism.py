"""PhotoPrism's vision API, by the bodies that its source sends (`internal/ai/vision`) and the fields that it reads."""

import base64

import httpx
import pytest
from support.photos import photo_bytes
from support.problems import check_problem
from support.serving import Serve

from photocaption import keys

pytestmark = pytest.mark.anyio

RED = f"data:image/jpeg;base64,{base64.b64encode(photo_bytes('red', 'JPEG')).decode()}"
ID = "4a2ab6a5-1f6c-4b80-9d0b-4a0f37c7b3c8"


def body(*images: str) -> dict[str, object]:
    return {"id": ID, "suffix": "", "stream": False, "images": list(images)}


async def test_a_photo_gets_a_caption_under_its_id(serve: Serve) -> None:
    key, entry = keys.make_key("photoprism")
    async with serve(api_keys=(entry,), unsure="sentence") as client:
        response = await client.post("/caption", json=body(RED), headers={"Authorization": f"Bearer {key}"})

    answer = response.json()
    assert response.status_code == 200
    assert set(answer) == {"id", "code", "model", "result"}
    assert (answer["id"], answer["code"], answer["model"]) == (ID, 200, {"name": "tiny", "version": "0.0.1"})
    caption = answer["result"]["caption"]
    assert (caption["text"], caption["source"]) == ("A red square.", "image")
    assert 0 < caption["confidence"] <= 1


@pytest.mark.parametrize(
    ("images", "status"),
    [
        ((), 400),
        ((RED, RED), 400),
        (("https://example.org/api/v1/dl/1",), 400),
        (("data:image/jpeg;base64,bm8gcGhvdG8=",), 415),
    ],
)
async def test_errors_have_its_form(plain_client: httpx.AsyncClient, images: tuple[str, ...], status: int) -> None:
    response = await plain_client.post("/caption", json=body(*images))

    error = response.json()
    assert response.status_code == status
    assert (error["id"], error["code"]) == (ID, status)
    assert error["error"].endswith(".")
    assert len(error) == 3


async def test_an_id_that_would_make_the_answer_as_large_as_the_request_is_refused(
    plain_client: httpx.AsyncClient,
) -> None:
    response = await plain_client.post("/caption", json={**body(RED), "id": "x" * 257})

    detail = check_problem(response, 400, "malformed-request")["detail"]
    assert "id: string should have at most 256 characters" in detail


async def test_it_can_be_switched_off(serve: Serve) -> None:
    async with serve(photoprism=False) as client:
        problem = check_problem(await client.post("/caption", json=body(RED)), 400, "malformed-request")

    assert "'image' is missing" in problem["detail"]
