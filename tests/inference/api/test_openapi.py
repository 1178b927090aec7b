"""The OpenAPI document tells the truth about every answer."""

from typing import Any

import httpx
import pytest

from inference.api import problems

pytestmark = pytest.mark.anyio

Json = dict[str, Any]


@pytest.fixture
async def document(client: httpx.AsyncClient) -> Json:
    document: Json = (await client.get("/openapi.json")).json()
    return document


def operations(document: Json) -> list[Json]:
    return [operation for path in document["paths"].values() for operation in path.values()]


async def test_it_has_every_route_of_the_contract(document: Json) -> None:
    assert {(method, path) for path, methods in document["paths"].items() for method in methods} == {
        ("post", "/caption"),
        ("post", "/captions"),
        ("get", "/model"),
        ("get", "/health/live"),
        ("get", "/health/ready"),
        ("get", "/metrics"),
    }


async def test_every_error_is_a_problem_with_an_example(document: Json) -> None:
    for operation in operations(document):
        for status, response in operation["responses"].items():
            if status == "200":
                continue
            content = response["content"]
            assert list(content) == ["application/problem+json"], operation["summary"]
            for example in content["application/problem+json"]["examples"].values():
                assert problems.Problem.model_validate(example["value"]).status == int(status)


async def test_captioning_documents_every_status_of_the_contract(document: Json) -> None:
    documented = set(document["paths"]["/caption"]["post"]["responses"])

    assert {"200", "400", "413", "415", "422", "429", "503", "504"} <= documented


async def test_a_photo_may_come_in_both_ways(document: Json) -> None:
    content = document["paths"]["/caption"]["post"]["requestBody"]["content"]

    assert set(content) == {"multipart/form-data", "image/*"}
    assert content["multipart/form-data"]["schema"]["properties"] == {"image": {"type": "string", "format": "binary"}}


async def test_every_reference_leads_somewhere(document: Json) -> None:
    def references(node: object) -> list[str]:
        if isinstance(node, dict):
            own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            return own + [found for value in node.values() for found in references(value)]
        return [found for value in node for found in references(value)] if isinstance(node, list) else []

    found = references(document)
    assert "#/components/schemas/Problem" in found
    for reference in found:
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"]
