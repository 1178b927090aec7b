"""The page that shows the API works from this service alone."""

import re

import httpx
import pytest
from support.problems import check_problem
from support.serving import Serve

pytestmark = pytest.mark.anyio


async def test_everything_that_the_page_names_is_served_here(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)

    assert page.headers["content-type"].startswith("text/html")
    assert len(links) == 5
    for link in links:
        assert not link.startswith(("http:", "https:", "//"))
        response = await client.get(f"/{link}")
        assert response.status_code == 200
        assert response.content


async def test_the_page_may_load_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    policy = (await client.get("/docs")).headers["content-security-policy"]

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


@pytest.mark.parametrize("name", ["..%2fapp.py", "docs.html", "%2e%2e", "__init__.py"])
async def test_names_are_never_paths(client: httpx.AsyncClient, name: str) -> None:
    check_problem(await client.get(f"/docs/{name}"), 404, "not-found")


async def test_the_docs_can_be_switched_off(serve: Serve) -> None:
    async with serve(docs=False) as client:
        for path in ("/docs", "/docs/docs.js", "/openapi.json"):
            check_problem(await client.get(path), 404, "not-found")
