"""Ollama's protocol: `/api/version`, `/api/tags`, `/api/show`, `/api/generate` and `/api/chat`.

A streamed answer has two chunks: the whole text, and the end.
https://github.com/ollama/ollama/blob/main/docs/api.md
"""

import contextlib
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, JsonValue

from photocaption import __version__
from photocaption.api import problems
from photocaption.api.access import name_client, require_access
from photocaption.api.adapters.adapter import Adapter
from photocaption.api.adapters.sentences import caption_photos, name_model, write_sentences
from photocaption.api.dependencies import Service
from photocaption.api.json_body import StrictModel, decode_photos, document_json, read_json
from photocaption.api.openapi import Json, document_problems
from photocaption.api.problems import Problem, ProblemError
from photocaption.api.uploads import JSON
from photocaption.model.bundle import Bundle
from photocaption.model.manifest import MANIFEST_NAME
from photocaption.serving.service import CaptionService

router = APIRouter(tags=["Ollama"], dependencies=[Depends(require_access)])

_ND_JSON = "application/x-ndjson"
_FAMILY = "image-caption"


class ShowRequest(StrictModel):
    """Which model is meant; there is one, whatever it is called."""

    model: str | None = None
    name: str | None = None


class _CaptionRequest(StrictModel):
    model: str | None = None
    format: JsonValue = None
    stream: bool | None = None


class GenerateRequest(_CaptionRequest):
    """One or several photos; other fields of Ollama are accepted and ignored, except those that are refused."""

    prompt: str | None = None
    images: list[str] | None = None


class ChatMessage(StrictModel):
    """A message of a chat, with photos in base64 in `images`."""

    role: str
    content: str | None = None
    images: list[str] | None = None


class ChatRequest(_CaptionRequest):
    """A chat, of which the last message with photos is answered."""

    messages: list[ChatMessage]
    tools: list[JsonValue] | None = None


class _Answer(BaseModel):
    model: str
    created_at: str
    done: bool
    done_reason: Literal["stop"] | None = None
    total_duration: int | None = None
    load_duration: int | None = None
    prompt_eval_count: int | None = None
    prompt_eval_duration: int | None = None
    eval_count: int | None = None
    eval_duration: int | None = None


class GenerateResponse(_Answer):
    """The text, with durations in nanoseconds."""

    response: str


class AssistantMessage(BaseModel):
    """The message that answers: the sentences are its `content`."""

    role: Literal["assistant"] = "assistant"
    content: str


class ChatResponse(_Answer):
    """The answering message, with durations in nanoseconds."""

    message: AssistantMessage


def translate(problem: Problem) -> Json:
    """A problem in Ollama's JSON."""
    return {"error": problem.detail}


_READ = document_problems(*problems.OF_READING, translate=translate)


@router.get("/api/version", summary="Version", responses=_READ)
async def version() -> dict[Literal["version"], str]:
    """The version of this service, which is not Ollama."""
    return {"version": __version__}


@router.get("/api/tags", summary="The model", responses=_READ)
async def tags(service: Service) -> dict[Literal["models"], list[dict[str, Any]]]:
    """A list of the one model that serves."""
    bundle = service.captioner.bundle
    manifest = bundle.manifest
    name = name_model(manifest)
    model = {
        "name": name,
        "model": name,
        "modified_at": _modified(bundle),
        "size": sum(entry.size for entry in manifest.files.values()),
        "digest": hashlib.sha256(manifest.model_dump_json().encode()).hexdigest(),
        "details": _details(bundle),
    }
    return {"models": [model]}


@router.post(
    "/api/show",
    summary="What the model can do",
    responses=document_problems(*problems.OF_BODY, problems.RATE_LIMITED, problems.NOT_READY, translate=translate),
    openapi_extra=document_json(ShowRequest),
)
async def show(request: Request, service: Service) -> dict[str, Any]:
    """The one model that serves, whichever is asked for."""
    await read_json(request, ShowRequest)
    bundle = service.captioner.bundle
    manifest = bundle.manifest
    return {
        "modelfile": "",
        "parameters": "",
        "template": "",
        "license": "",
        "modified_at": _modified(bundle),
        "details": _details(bundle),
        "model_info": {
            "general.architecture": _FAMILY,
            "general.name": name_model(manifest),
            "general.version": manifest.version,
            f"{_FAMILY}.vocabulary_size": manifest.vocabulary_size,
            f"{_FAMILY}.image_size": manifest.image.width,
        },
        "capabilities": ["completion", "vision"],
    }


_CAPTION_RESPONSES = document_problems(*problems.OF_BODY, *problems.OF_CAPTION, translate=translate)


@router.post(
    "/api/generate",
    summary="Describe photos (generate)",
    response_model=GenerateResponse,
    responses={200: {"content": {_ND_JSON: {}}}, **_CAPTION_RESPONSES},
    openapi_extra=document_json(GenerateRequest),
)
async def generate(request: Request, service: Service) -> Response:
    """A sentence for the `images`, in base64; streamed as lines of JSON unless `stream` is false."""
    service.check_room(name_client(request))
    body = await read_json(request, GenerateRequest)
    _reject_unsupported(body.format)
    images, stream = body.images or [], body.stream is not False
    del body  # which may hold other photos
    return await _respond(
        request, service, images, lambda text, **rest: GenerateResponse(response=text, **rest), stream=stream
    )


@router.post(
    "/api/chat",
    summary="Describe photos (chat)",
    response_model=ChatResponse,
    responses={200: {"content": {_ND_JSON: {}}}, **_CAPTION_RESPONSES},
    openapi_extra=document_json(ChatRequest),
)
async def chat(request: Request, service: Service) -> Response:
    """A sentence for the `images` of the last message that has any; streamed as lines of JSON unless `stream` is
    false."""
    service.check_room(name_client(request))
    body = await read_json(request, ChatRequest)
    _reject_unsupported(body.format, body.tools)
    images = next((message.images for message in reversed(body.messages) if message.images), [])
    stream = body.stream is not False
    del body  # which may hold other photos
    return await _respond(
        request,
        service,
        images,
        lambda text, **rest: ChatResponse(message=AssistantMessage(content=text), **rest),
        stream=stream,
    )


def _reject_unsupported(*wanted: JsonValue) -> None:
    if any(wanted):
        detail = "This model writes a sentence about a photo: it follows no 'format' and calls no 'tools'."
        raise ProblemError(problems.MALFORMED, detail)


async def _respond(
    request: Request, service: CaptionService, images: list[str], write: Callable[..., _Answer], *, stream: bool
) -> Response:
    """The text about `images` with the counts, or with `stream` as two lines, the text and the counts."""
    settings = service.settings
    photos = await decode_photos(images, most=settings.max_images, most_bytes=settings.max_body_bytes)
    answers = await caption_photos(request, service, photos)
    text = write_sentences(answers, settings)
    total = round(max((answer.total_ms for answer in answers), default=0) * 1e6)
    head = {"model": name_model(service.captioner.bundle.manifest), "created_at": _write_time(datetime.now(UTC))}
    end = {
        **head,
        "done": True,
        "done_reason": "stop",
        "total_duration": total,
        "load_duration": 0,
        "prompt_eval_count": 0,
        "prompt_eval_duration": 0,
        "eval_count": len(text.split()),
        "eval_duration": total,
    }
    if not stream:
        return Response(write(text, **end).model_dump_json(exclude_none=True), media_type=JSON)
    lines = write(text, **head, done=False), write("", **end)
    return Response("".join(f"{line.model_dump_json(exclude_none=True)}\n" for line in lines), media_type=_ND_JSON)


def _details(bundle: Bundle) -> Json:
    manifest = bundle.manifest
    return {
        "parent_model": "",
        "format": "onnx",
        "family": _FAMILY,
        "families": [_FAMILY],
        "parameter_size": "",
        "quantization_level": manifest.encoder.precision,
    }


def _modified(bundle: Bundle) -> str:
    with contextlib.suppress(OSError, ValueError, OverflowError):  # it may be gone, or said to be of the year 30000
        return _write_time(datetime.fromtimestamp((bundle.path / MANIFEST_NAME).stat().st_mtime, UTC))
    return _write_time(datetime.fromtimestamp(0, UTC))


def _write_time(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


ADAPTER = Adapter("ollama", router, translate, captioning=("/api/generate", "/api/chat"), prefix="/api/")
