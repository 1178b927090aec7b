"""Phanpy's image description, by what its composer sends."""

import httpx
import pytest
from support.photos import photo_bytes
from support.serving import Serve

pytestmark = pytest.mark.anyio

ORIGIN = "https://phanpy.example"


async def test_its_pages_get_a_description(serve: Serve) -> None:
    async with serve(cors_origins=(ORIGIN,), unsure="sentence") as client:
        files = {"image": ("photo.png", photo_bytes("red"))}
        response = await client.post("/phanpy?lang=en", files=files, headers={"Origin": ORIGIN})

    assert response.status_code == 200
    assert response.json()["description"] == "A red square."
    assert response.json()["caption"] == "a red square"
    assert response.headers["access-control-allow-origin"] == ORIGIN


async def test_its_pages_can_show_what_went_wrong(plain_client: httpx.AsyncClient) -> None:
    response = await plain_client.post("/phanpy?lang=en", files={"image": ("notes.txt", b"no photo")})

    assert response.status_code == 415
    assert response.json()["error"] == response.json()["detail"]


async def test_it_can_be_switched_off(serve: Serve) -> None:
    async with serve(phanpy=False) as client:
        assert (await client.post("/phanpy")).status_code == 404
