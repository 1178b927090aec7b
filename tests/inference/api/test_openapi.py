"""The OpenAPI document tells the truth about every answer."""

import re
from typing import Any

import httpx
import pytest

from photocaption.api import problems

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

FORMS_BESIDE = {"Describe a photo": ["application/json"]}  # PhotoPrism's
OWN_TAGS = ("captions", "model", "operations")


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
        ("get", "/api/version"),
        ("get", "/api/tags"),
        ("post", "/api/show"),
        ("post", "/api/generate"),
        ("post", "/api/chat"),
        ("get", "/v1/models"),
        ("post", "/v1/chat/completions"),
        ("post", "/huggingface"),
        ("post", "/phanpy"),
    }


async def test_generated_clients_get_functions_with_plain_names(document: Json) -> None:
    names = [operation["operationId"] for operation in operations(document)]

    assert {"caption", "captions"} <= set(names)
    assert len(set(names)) == len(names)
    assert [name for name in names if not re.fullmatch("[a-z]+(_[a-z]+){0,3}", name)] == []


async def test_every_error_is_a_problem_with_an_example(document: Json) -> None:
    own = [operation for operation in operations(document) if operation["tags"][0] in OWN_TAGS]
    assert len(own) == 6
    for operation in own:
        for status, response in operation["responses"].items():
            if status == "200":
                continue
            content = response["content"]
            forms = {"application/problem+json"} | set(FORMS_BESIDE.get(operation["summary"], ()))
            assert set(content) == forms, operation["summary"]
            for example in content["application/problem+json"]["examples"].values():
                assert problems.Problem.model_validate(example["value"]).status == int(status)


async def test_every_error_of_another_protocol_has_an_example_in_its_form(document: Json) -> None:
    others = [operation for operation in operations(document) if operation["tags"][0] not in OWN_TAGS]
    assert len(others) == 9
    for operation in others:
        for status, response in operation["responses"].items():
            if status != "200":
                examples = response["content"]["application/json"]["examples"].values()
                assert all("error" in example["value"] for example in examples), operation["summary"]


async def test_captioning_documents_every_status_of_the_contract(document: Json) -> None:
    documented = set(document["paths"]["/caption"]["post"]["responses"])

    assert {"200", "400", "413", "415", "422", "429", "503", "504"} <= documented


async def test_a_photo_may_come_in_three_ways(document: Json) -> None:
    content = document["paths"]["/caption"]["post"]["requestBody"]["content"]

    assert set(content) == {"multipart/form-data", "image/*", "application/json"}
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
