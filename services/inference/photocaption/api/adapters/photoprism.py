"""PhotoPrism's vision API: `POST /caption` with JSON that has `images`, which `routes.captions` hands over.

https://docs.photoprism.app/developer-guide/vision/
"""

import uuid
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from photocaption.api import problems
from photocaption.api.adapters.adapter import Adapter
from photocaption.api.adapters.sentences import caption_photos, write_sentence
from photocaption.api.json_body import decode_photos
from photocaption.api.openapi import Json
from photocaption.api.problems import Problem, ProblemError
from photocaption.api.schemas import ModelName
from photocaption.serving.service import CaptionService


class CaptionResult(BaseModel):
    """The sentence, and how sure the model is of it."""

    text: str
    confidence: float
    source: Literal["image"] = "image"


class Result(BaseModel):
    """The result: a caption."""

    caption: CaptionResult


class VisionResponse(BaseModel):
    """The answer, under the request's `id`."""

    id: str
    code: Literal[200] = 200
    model: ModelName
    result: Result


def translate(problem: Problem, request_id: str | None = None) -> Json:
    """A problem in PhotoPrism's JSON, under the request's `id`."""
    return {"id": request_id or problem.request_id or "", "code": problem.status, "error": problem.detail}


async def answer(
    request: Request, service: CaptionService, images: list[str], request_id: str | None
) -> VisionResponse:
    """A caption for the one photo of `images`. Raises `ProblemError` for none and for more."""
    if not images:
        raise ProblemError(problems.MALFORMED, "There is no photo in 'images'.")
    photos = await decode_photos(images, most=1, most_bytes=service.settings.max_body_bytes)
    (answer,) = await caption_photos(request, service, photos)
    caption = CaptionResult(
        text=write_sentence(answer, service.settings), confidence=round(answer.caption.confidence, 4)
    )
    manifest = answer.manifest
    return VisionResponse(
        id=request_id or uuid.uuid4().hex,
        model=ModelName(name=manifest.name, version=manifest.version),
        result=Result(caption=caption),
    )


ADAPTER = Adapter("photoprism", APIRouter(), translate, shared="/caption")
