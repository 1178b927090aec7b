"""Reads untrusted JSON bodies, with limits on their size, the number of values and the size of the decoded photos."""

import asyncio
import base64
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, ValidationError

from photocaption.api import problems
from photocaption.api.problems import ProblemError
from photocaption.api.uploads import JSON, refuse_compressed, require_content

# A parsed value takes up to a hundred times the two or three bytes that it may have in the body. A value needs a comma
# or a bracket, and base64 has neither.
MAX_VALUES = 20_000
# A photo in base64 is a third larger, PHP escapes each of its slashes with a backslash, and there may be prompts.
_GROWTH = 1.4
_BESIDE_PHOTOS = 2**20
_SLICE = 2**20  # characters decoded at a time, so that other requests are not delayed, and little is held twice
_WRAPPING = b" \t\r\n\v\f"  # removed by `translate`: `split` would take fifty bytes for each blank

Model = TypeVar("Model", bound=BaseModel)


class StrictModel(BaseModel):
    """A part of a JSON body, of which no value is converted to another type."""

    model_config = ConfigDict(strict=True)


def bound_json(max_photo_bytes: int) -> int:
    """The largest JSON body that may hold photos of so many bytes in all."""
    return round(max_photo_bytes * _GROWTH) + _BESIDE_PHOTOS


def document_json(model: type[BaseModel], *, raw: bool = False) -> dict[str, Any]:
    """The request body of a route that takes `model`; with `raw`, the bytes of a photo too."""
    schema = model.model_json_schema()
    content: dict[str, Any] = {JSON: {"schema": _inline(schema, schema.pop("$defs", {}))}}
    if raw:
        content["image/*"] = {"schema": {"type": "string", "format": "binary"}}
    return {"requestBody": {"required": True, "content": content}}


async def read_json(request: Request, model: type[Model]) -> Model:
    """The request's body as a `model`. Raises `ProblemError`."""
    refuse_compressed(request)
    body = b"".join([chunk async for chunk in request.stream()])
    if sum(body.count(mark) for mark in (b",", b"[", b"{")) > MAX_VALUES:
        raise ProblemError(problems.MALFORMED, f"The JSON body has more than {MAX_VALUES} values.")
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise ProblemError(problems.MALFORMED, _explain(error)) from None


async def decode_photos(texts: list[str], *, most: int, most_bytes: int) -> list[bytes]:
    """The photos of base64 texts or data URIs. Raises `ProblemError`: too many, too large together, empty, or neither.

    An address of a photo is refused too: the service fetches nothing. `texts` is empty afterwards: one whose photo is
    decoded is no longer held.
    """
    if len(texts) > most:
        count = f"{most} image{'' if most == 1 else 's'}"
        raise ProblemError(problems.MALFORMED, f"Send at most {count} in a request to this address.")
    texts.reverse()
    photos = []
    while texts:
        photos.append(require_content(await _decode(texts.pop())))
    if sum(map(len, photos)) > most_bytes:
        raise ProblemError(
            problems.TOO_LARGE, f"The photos are larger than {most_bytes} bytes, the most that is accepted."
        )
    return photos


async def _decode(text: str) -> bytes:
    photo = bytearray()
    code = b""
    try:
        for first in range(_find_code(text), len(text), _SLICE):
            code += text[first : first + _SLICE].encode("ascii").translate(None, _WRAPPING)
            whole = len(code) // 4 * 4
            photo += base64.b64decode(code[:whole], validate=True)
            code = code[whole:]
            await asyncio.sleep(0)
        photo += base64.b64decode(code + b"=" * (-len(code) % 4), validate=True)
    except ValueError:  # of letters beyond ASCII, and binascii.Error
        raise ProblemError(problems.MALFORMED, "A photo is not valid base64.") from None
    return bytes(photo)


def _find_code(text: str) -> int:
    """Where base64 begins in `text`: after the head of a data URI, or at once."""
    scheme = text[:8].lower()
    if scheme.startswith(("http:", "https:", "file:", "ftp:")):
        detail = "Addresses of photos are not fetched: send the photo itself, in base64 or as a data URI."
        raise ProblemError(problems.MALFORMED, detail)
    if not scheme.startswith("data:"):
        return 0
    end = text.find(",")
    if not text[: max(0, end)].lower().endswith(";base64"):
        raise ProblemError(problems.MALFORMED, "The data URI is not in base64.")
    return end + 1


def _inline(schema: Any, definitions: dict[str, Any]) -> Any:  # noqa: ANN401
    """`schema` without references, which would be to another place in the document."""
    if isinstance(schema, list):
        return [_inline(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if reference := schema.get("$ref"):
        return _inline(definitions[reference.rpartition("/")[2]], definitions)
    return {key: _inline(part, definitions) for key, part in schema.items()}


def _explain(error: ValidationError) -> str:
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    return f"The JSON body cannot be used: {problems.describe_faults(faults)}."
