"""Additions to FastAPI's OpenAPI document: uploads, and an example of every problem."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from photocaption.api.problems import MEDIA_TYPE, Kind, Problem
from photocaption.api.uploads import JSON, PART

Json = dict[str, Any]
Translate = Callable[[Problem], Json]

_VALIDATION_SCHEMAS = ("HTTPValidationError", "ValidationError")
_BINARY: Json = {"type": "string", "format": "binary"}


def document_problems(*kinds: Kind, translate: Translate | None = None) -> dict[int | str, Json]:
    """The `responses` of a route that answers with these kinds of problem, each with an example; `translate`: into the
    JSON of another protocol.
    """
    by_status: dict[int, list[Kind]] = defaultdict(list)
    for kind in kinds:
        by_status[kind.status].append(kind)
    return {status: _document(same_status, translate) for status, same_status in sorted(by_status.items())}


def document_upload(*, several: bool, json: type[BaseModel] | None = None) -> Json:
    """The request body of a route that takes photos; `json`: the model of a JSON body that has one."""
    part: Json = {"type": "array", "items": _BINARY, "minItems": 1} if several else _BINARY
    form: Json = {"type": "object", "required": [PART], "properties": {PART: part}}
    content: Json = {"multipart/form-data": {"schema": form}}
    if not several:
        content["image/*"] = {"schema": _BINARY}
    if json is not None:
        content[JSON] = {"schema": json.model_json_schema()}
    return {"requestBody": {"required": True, "content": content}}


def correct_document(app: FastAPI, *, needs_key: bool) -> None:
    """Make `app`'s OpenAPI document define the problems it refers to, and ask for a key only where one is needed."""
    generate = app.openapi

    def openapi() -> Json:
        document = generate()
        schemas: Json = document["components"]["schemas"]
        schemas["Problem"] = Problem.model_json_schema()
        for name in _VALIDATION_SCHEMAS:
            schemas.pop(name, None)
        for operation in (operation for path in document["paths"].values() for operation in path.values()):
            _drop_validation_response(operation["responses"])
            if not needs_key:
                operation.pop("security", None)
        if not needs_key:
            document["components"].pop("securitySchemes", None)
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # the way that FastAPI's documentation extends it


def _drop_validation_response(responses: Json) -> None:
    # FastAPI says so of every route with parameters; here a wrong parameter is a problem with status 400.
    content = responses.get("422", {}).get("content", {}).get("application/json", {})
    if content.get("schema", {}).get("$ref", "").endswith(_VALIDATION_SCHEMAS):
        del responses["422"]


def _document(kinds: list[Kind], translate: Translate | None) -> Json:
    media_type = JSON if translate else MEDIA_TYPE
    schema = {"type": "object"} if translate else {"$ref": "#/components/schemas/Problem"}
    write = translate or (lambda problem: problem.model_dump(exclude_none=True))
    examples = {kind.slug: {"summary": kind.title, "value": write(_example(kind))} for kind in kinds}
    headers = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait before trying again."}}
    response: Json = {
        "description": " or ".join(kind.title for kind in kinds) + ".",
        "content": {media_type: {"schema": schema, "examples": examples}},
    }
    return response | ({"headers": headers} if kinds[0].status in (429, 503) else {})


def _example(kind: Kind) -> Problem:
    return Problem(type=kind.type, title=kind.title, status=kind.status, detail=kind.example, request_id="5f0c2a7d")
