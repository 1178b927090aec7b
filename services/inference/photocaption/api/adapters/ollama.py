"""Ollama's protocol: `/api/version`, `/api/tags`, `/api/show`, `/api/generate` and `/api/chat`.

Answers are whole when they begin, so that streaming is a matter of form: the text in one piece, then the end.
https://github.com/ollama/ollama/blob/main/docs/api.md
"""

import contextlib
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, JsonValue

from photocaption import __version__
from photocaption.api import problems
from photocaption.api.access import name_client, require_access
from photocaption.api.adapters.adapter import Adapter, Json, document_translated
from photocaption.api.adapters.sentences import caption_photos, name_model, write_sentences
from photocaption.api.dependencies import Service
from photocaption.api.json_body import decode_photos, document_json, read_json
from photocaption.api.problems import Problem, ProblemError
from photocaption.model.bundle import Bundle
from photocaption.model.manifest import MANIFEST_NAME
from photocaption.serving.service import CaptionService

router = APIRouter(tags=["Ollama"], dependencies=[Depends(require_access)])

_ND_JSON = "application/x-ndjson"


class _Model(BaseModel):
    model_config = ConfigDict(strict=True)


class ShowRequest(_Model):
    """Which model is meant; there is one, whatever it is called."""

    model: str | None = None
    name: str | None = None


class GenerateRequest(_Model):
    """A photo or several; what else Ollama knows is accepted and makes no difference, but for what is refused."""

    model: str | None = None
    prompt: str | None = None
    images: list[str] | None = None
    format: JsonValue = None
    stream: bool | None = None


class ChatMessage(_Model):
    """A message of a chat, with photos in base64 in `images`."""

    role: str
    content: str | None = None
    images: list[str] | None = None


class ChatRequest(_Model):
    """A chat, of which the last message with photos is answered."""

    model: str | None = None
    messages: list[ChatMessage]
    format: JsonValue = None
    tools: list[JsonValue] | None = None
    stream: bool | None = None


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


_READ = document_translated(translate, *problems.OF_READING)


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
    responses=document_translated(translate, *problems.OF_JSON, problems.RATE_LIMITED, problems.NOT_READY),
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


_CAPTION_RESPONSES = document_translated(translate, *problems.OF_JSON, *problems.OF_CAPTION)


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
    text, counts = await _caption_images(request, service, body.images or [])
    return _send(service, body.stream, lambda text, **rest: GenerateResponse(response=text, **rest), text, counts)


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
    text, counts = await _caption_images(request, service, images)
    return _send(
        service,
        body.stream,
        lambda text, **rest: ChatResponse(message=AssistantMessage(content=text), **rest),
        text,
        counts,
    )


async def _caption_images(request: Request, service: CaptionService, images: list[str]) -> tuple[str, dict[str, Any]]:
    """The text about `images`, and the counts that end an answer."""
    settings = service.settings
    photos = await decode_photos(images, most=settings.max_images, most_bytes=settings.max_body_bytes)
    answers = await caption_photos(request, service, photos)
    text = write_sentences(answers, settings)
    total = round(max((answer.total_ms for answer in answers), default=0) * 1e6)
    counts = {
        "done_reason": "stop",
        "total_duration": total,
        "load_duration": 0,
        "prompt_eval_count": 0,
        "prompt_eval_duration": 0,
        "eval_count": len(text.split()),
        "eval_duration": total,
    }
    return text, counts


def _reject_unsupported(wanted: JsonValue, tools: list[JsonValue] | None = None) -> None:
    if wanted or tools:
        detail = "This model writes a sentence about a photo: it follows no 'format' and calls no 'tools'."
        raise ProblemError(problems.MALFORMED, detail)


def _send(
    service: CaptionService, stream: bool | None, write: Callable[..., _Answer], text: str, counts: dict[str, Any]
) -> Response:
    """The text in one piece with the counts or, where it is streamed, before them."""
    head = {"model": name_model(service.captioner.bundle.manifest), "created_at": _write_time(datetime.now(UTC))}
    if stream is False:
        whole = write(text, **head, done=True, **counts)
        return Response(whole.model_dump_json(exclude_none=True), media_type="application/json")
    pieces = write(text, **head, done=False), write("", **head, done=True, **counts)
    lines = (f"{piece.model_dump_json(exclude_none=True)}\n" for piece in pieces)
    return Response("".join(lines), media_type=_ND_JSON)


_FAMILY = "image-caption"


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
