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

    detail = check_problem(response, 400, "malformed-request", beside=("id", "code", "error"))["detail"]
    assert "id: string should have at most 256 characters" in detail


async def test_what_is_refused_before_it_is_read_has_both_forms(serve: Serve) -> None:
    _, entry = keys.make_key("photoprism")
    async with serve(api_keys=(entry,)) as client:
        locked = await client.post("/caption", json=body(RED))
    async with serve(max_body_bytes=9) as client:
        large = await client.post("/caption", content=b" " * 2**21, headers={"Content-Type": "application/json"})
    async with serve() as client:
        no_json = await client.post(
            "/caption", content=b"{", headers={"Content-Type": "application/json; charset=utf-8"}
        )
    async with serve(start=False) as client:
        early = await client.post("/caption", json=body(RED))

    for response, status, slug in (
        (locked, 401, "unauthorized"),
        (large, 413, "body-too-large"),
        (no_json, 400, "malformed-request"),
        (early, 503, "not-ready"),
    ):
        problem = check_problem(response, status, slug, beside=("id", "code", "error"))
        assert (problem["code"], problem["error"]) == (status, problem["detail"])
        assert problem["id"] == problem["request_id"] == response.headers["x-request-id"]


async def test_our_own_json_is_refused_in_our_form_alone(plain_client: httpx.AsyncClient) -> None:
    check_problem(await plain_client.post("/caption", json={"image": "bm8gcGhvdG8="}), 415, "unsupported-type")
    check_problem(await plain_client.post("/caption", json={}), 400, "malformed-request")


async def test_it_can_be_switched_off(serve: Serve) -> None:
    async with serve(photoprism=False) as client:
        problem = check_problem(await client.post("/caption", json=body(RED)), 400, "malformed-request")

    assert "'image' is missing" in problem["detail"]
