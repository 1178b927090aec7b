"""OpenAI's chat completions: `/v1/models` and `/v1/chat/completions`, photos as data URIs.

https://platform.openai.com/docs/api-reference/chat
"""

import json
import time
import uuid
from typing import Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, JsonValue

from photocaption.api import problems
from photocaption.api.access import name_client, require_access
from photocaption.api.adapters.adapter import Adapter
from photocaption.api.adapters.sentences import caption_photos, name_model, write_sentences
from photocaption.api.dependencies import Service
from photocaption.api.json_body import StrictModel, decode_photos, document_json, read_json
from photocaption.api.openapi import Json, document_problems
from photocaption.api.problems import Problem, ProblemError

router = APIRouter(tags=["OpenAI"], dependencies=[Depends(require_access)])

_EVENT_STREAM = "text/event-stream"
_KIND_OF_STATUS = {401: "authentication_error", 429: "rate_limit_error"}


class ImageUrl(StrictModel):
    """A photo as a data URI; other addresses are refused."""

    url: str


class ContentPart(StrictModel):
    """A part of a message: a text, or a photo."""

    type: Literal["text", "image_url"]
    text: str | None = None
    image_url: ImageUrl | None = None


class Message(StrictModel):
    """A message of a chat: its text, or parts of which some are photos."""

    role: str
    content: str | list[ContentPart] | None = None


class ResponseFormat(StrictModel):
    """How the answer is to be written: as text, or it is refused."""

    type: str


class StreamOptions(StrictModel):
    """Whether a stream ends with the usage."""

    include_usage: bool | None = None


class ChatCompletionRequest(StrictModel):
    """A chat, of which the last message with photos is answered."""

    model: str | None = None
    messages: list[Message]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = None
    response_format: ResponseFormat | None = None
    tools: list[JsonValue] | None = None
    functions: list[JsonValue] | None = None


class AssistantMessage(BaseModel):
    """The message that answers: the sentences are its `content`."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class Choice(BaseModel):
    """The one answer that there is; `n` cannot be more."""

    index: Literal[0] = 0
    message: AssistantMessage
    logprobs: None = None
    finish_reason: Literal["stop"] = "stop"


class Usage(BaseModel):
    """Words of the answer; prompts are not read."""

    prompt_tokens: int = 0
    completion_tokens: int
    total_tokens: int


class ChatCompletion(BaseModel):
    """The response of `/v1/chat/completions`."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage


def translate(problem: Problem) -> Json:
    """A problem in OpenAI's JSON."""
    kind = _KIND_OF_STATUS.get(problem.status, "server_error" if problem.status >= 500 else "invalid_request_error")
    code = problem.slug.replace("-", "_")
    return {"error": {"message": problem.detail, "type": kind, "param": None, "code": code}}


@router.get(
    "/v1/models",
    summary="The model",
    responses=document_problems(*problems.OF_READING, translate=translate),
)
async def models(service: Service) -> dict[str, Any]:
    """A list of the one model that serves."""
    name = name_model(service.captioner.bundle.manifest)
    return {"object": "list", "data": [{"id": name, "object": "model", "created": 0, "owned_by": "image-caption"}]}


@router.post(
    "/v1/chat/completions",
    summary="Describe photos (chat completions)",
    response_model=ChatCompletion,
    responses={
        200: {"content": {_EVENT_STREAM: {}}},
        **document_problems(*problems.OF_BODY, *problems.OF_CAPTION, translate=translate),
    },
    openapi_extra=document_json(ChatCompletionRequest),
)
async def chat_completions(request: Request, service: Service) -> Response:
    """A sentence for the `image_url` parts of the last message that has any; as server-sent events with `stream`."""
    service.check_room(name_client(request))
    body = await read_json(request, ChatCompletionRequest)
    _reject_unsupported(body)
    settings = service.settings
    images, options = _find_images(body), body.stream_options
    stream, usage = body.stream, options is not None and options.include_usage is True
    del body
    photos = await decode_photos(images, most=settings.max_images, most_bytes=settings.max_body_bytes)
    text = write_sentences(await caption_photos(request, service, photos), settings)
    words = len(text.split())
    completion = ChatCompletion(
        id=f"chatcmpl-{uuid.uuid4().hex}",
        created=int(time.time()),
        model=name_model(service.captioner.bundle.manifest),
        choices=[Choice(message=AssistantMessage(content=text))],
        usage=Usage(completion_tokens=words, total_tokens=words),
    )
    if not stream:
        return Response(completion.model_dump_json(), media_type="application/json")
    return Response(_write_events(completion, usage=usage), media_type=_EVENT_STREAM)


def _find_images(body: ChatCompletionRequest) -> list[str]:
    """The photos of the last message that has any."""
    for message in reversed(body.messages):
        parts = message.content if isinstance(message.content, list) else []
        if images := [part.image_url.url for part in parts if part.image_url is not None]:
            return images
    return []


def _reject_unsupported(body: ChatCompletionRequest) -> None:
    if body.tools or body.functions or (body.response_format and body.response_format.type != "text"):
        detail = "This model writes a sentence about a photo: it follows no 'response_format' and calls no 'tools'."
        raise ProblemError(problems.MALFORMED, detail)
    if body.n not in (None, 1):
        raise ProblemError(problems.MALFORMED, "'n' must be 1: there is one answer to a request.")
    parts = [part for message in body.messages if isinstance(message.content, list) for part in message.content]
    if any((part.type == "image_url") is not (part.image_url is not None) for part in parts):
        raise ProblemError(problems.MALFORMED, "A part of type 'image_url', and no other, needs an 'image_url'.")


def _write_events(completion: ChatCompletion, *, usage: bool) -> str:
    """The stream: a chunk with the whole text, one for the end, the usage where it was requested, and `[DONE]`."""
    head = completion.model_dump(include={"id", "created", "model"}) | {"object": "chat.completion.chunk"}
    text = completion.choices[0].message.content
    chunks: list[Json] = [
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    ]
    if usage:
        chunks.append({"choices": [], "usage": completion.usage.model_dump()})
    return "".join(f"data: {json.dumps(head | chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"


ADAPTER = Adapter("openai", router, translate, captioning=("/v1/chat/completions",), prefix="/v1/")
