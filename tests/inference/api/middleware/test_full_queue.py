"""Beyond capacity a refusal costs next to nothing: no body is read for it, and no route is entered."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from support.gated_captioner import GatedCaptioner
from support.photos import photo_bytes
from support.problems import check_problem
from support.serving import Serve

pytestmark = pytest.mark.anyio

PNG = {"Content-Type": "image/png"}


@pytest.fixture
async def full(serve: Serve, model: GatedCaptioner) -> AsyncIterator[httpx.AsyncClient]:
    """A service whose only place is taken."""
    async with serve(queue_size=1) as client:
        model.gate.clear()
        holder = asyncio.create_task(client.post("/caption", content=photo_bytes("red"), headers=PNG))
        while len(model.batches) < 2:  # the warm-up, and the photo that stays
            await asyncio.sleep(0.01)
        yield client
        model.gate.set()
        await holder


@pytest.mark.parametrize("path", ["/caption", "/captions"])
async def test_no_body_is_read_for_a_refusal(full: httpx.AsyncClient, path: str) -> None:
    read = []

    async def body() -> AsyncIterator[bytes]:
        read.append(path)
        yield photo_bytes("red")

    response = await full.post(path, content=body(), headers=PNG)

    check_problem(response, 429, "queue-full")
    assert read == []


async def test_a_refusal_is_counted_where_it_belongs(full: httpx.AsyncClient) -> None:
    await full.post("/caption", content=b"", headers=PNG)

    metrics = (await full.get("/metrics")).text
    assert 'caption_requests_total{method="POST",route="/caption",status="429"} 1.0' in metrics
    assert 'caption_rejections_total{reason="queue-full"} 1.0' in metrics


async def test_everything_else_is_answered_meanwhile(full: httpx.AsyncClient) -> None:
    assert (await full.get("/model")).status_code == 200
    assert (await full.get("/health/ready")).status_code == 200
    check_problem(await full.get("/caption"), 405, "method-not-allowed")


async def test_a_service_that_is_not_ready_reads_no_body_either(serve: Serve) -> None:
    async with serve(start=False) as client:
        check_problem(await client.post("/caption", content=b"", headers=PNG), 503, "not-ready")
