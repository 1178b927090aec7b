"""`GET /model`."""

import httpx
import pytest
from support.problems import check_problem
from support.serving import Serve

pytestmark = pytest.mark.anyio


async def test_the_model_tells_what_it_is_and_what_may_be_sent(serve: Serve) -> None:
    async with serve(max_images=3, max_body_bytes=1000) as client:
        body = (await client.get("/model")).json()

    assert body["name"] == "tiny"
    assert body["version"] == "0.0.1"
    assert body["input"] == {"height": 32, "width": 32}
    assert body["vocabulary_size"] == 12
    assert body["attention_grid"] == {"rows": 4, "columns": 4}
    assert body["scores"]["dev"]["beam"] == {"CIDEr": 1.0}
    assert body["card"].startswith("# Tiny")
    assert body["limits"]["max_images"] == 3
    assert body["limits"]["max_body_bytes"] == 1000
    assert "JPEG" in body["limits"]["formats"]


async def test_without_a_model_it_is_not_ready(serve: Serve) -> None:
    async with serve(start=False) as client:
        check_problem(await client.get("/model"), 503, "not-ready")


async def test_the_manifest_s_file_list_stays_inside(client: httpx.AsyncClient) -> None:
    assert "sha256" not in (await client.get("/model")).text
