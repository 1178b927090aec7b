"""`POST /caption` for one photo, `POST /captions` for several."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from photocaption.api import problems
from photocaption.api.access import charge_photos, name_client, require_access
from photocaption.api.adapters import photoprism
from photocaption.api.adapters.photoprism import VisionResponse
from photocaption.api.dependencies import Service
from photocaption.api.disconnect import unless_disconnected
from photocaption.api.error_forms import set_error_form
from photocaption.api.error_handlers import report
from photocaption.api.json_body import decode_photos, read_json
from photocaption.api.middleware.body_limit import held_bytes
from photocaption.api.openapi import Json, document_problems, document_upload
from photocaption.api.problems import ProblemError
from photocaption.api.schemas import CaptionItem, CaptionQuery, CaptionRequest, CaptionResponse, CaptionsResponse
from photocaption.api.uploads import JSON, read_media_type, read_photo, read_photos, require_content
from photocaption.caption import CaptionOptions
from photocaption.errors import CaptionError
from photocaption.serving.service import Answer
from photocaption.serving.settings import Settings

PATHS = ("/caption", "/captions")

router = APIRouter(tags=["captions"], dependencies=[Depends(require_access)])

_OF_REQUEST = (
    *problems.OF_BODY,
    problems.INVALID_PARAMETER,
    problems.QUEUE_FULL,
    problems.RATE_LIMITED,
    problems.NOT_READY,
)
_OF_PHOTO = (problems.UNDECODABLE, problems.IMAGE_TOO_LARGE, problems.DEADLINE_EXCEEDED)


def _document_both(*kinds: problems.Kind) -> dict[int | str, Json]:
    """Problems, and for PhotoPrism's requests the same in its form."""
    responses = document_problems(*kinds)
    for status, response in document_problems(*kinds, translate=photoprism.translate).items():
        responses[status]["content"] |= response["content"]
    return responses


Options = Annotated[CaptionQuery, Query()]


@router.post(
    "/caption",
    summary="Describe a photo",
    response_model_exclude_none=True,
    responses=_document_both(*_OF_REQUEST, *_OF_PHOTO, problems.UNSURE),
    openapi_extra=document_upload(several=False, json=CaptionRequest),
)
async def caption(
    request: Request, response: Response, service: Service, query: Options
) -> CaptionResponse | VisionResponse:
    """Send a photo as a multipart part named `image`, its bytes with any `image/*` content type, or its base64 in JSON;
    get a sentence. JSON with `images` is answered as PhotoPrism wants it."""
    service.check_room(name_client(request))
    if read_media_type(request) == JSON:
        body = await read_json(request, CaptionRequest)
        if body.images is not None and service.settings.photoprism:
            set_error_form(request.scope, partial(photoprism.translate, request_id=body.id))
            return await photoprism.answer(request, service, body.images, body.id)
        set_error_form(request.scope, None)
        photo = await _decode(body, service.settings)
        del body
    else:
        photo = await read_photo(request)
    release = held_bytes(request.scope).release
    work = service.caption(
        photo, CaptionOptions(**query.model_dump()), client=charge_photos(request, 1), on_decoded=release
    )
    del photo  # held by `work` alone, which lets go of it when `release` is called
    answer = await unless_disconnected(request, work)
    response.headers["Cache-Status"] = "inference; hit" if answer.cached else "inference; fwd=miss"
    return CaptionResponse.of(answer)


@router.post(
    "/captions",
    summary="Describe several photos",
    response_model_exclude_none=True,
    responses=document_problems(*_OF_REQUEST),
    openapi_extra=document_upload(several=True),
)
async def captions(request: Request, service: Service, query: Options) -> CaptionsResponse:
    """Send photos as multipart parts, each named `image`; get a result or a problem for each, in the same order."""
    service.check_room(name_client(request))
    photos = await read_photos(request, service.settings.max_images)
    count = len(photos)
    caption = partial(
        service.caption,
        options=CaptionOptions(**query.model_dump()),
        client=charge_photos(request, count),
        on_decoded=held_bytes(request.scope).release_after(count),
    )
    items = [_item(request, photos.pop(0), partial(caption, position=position)) for position in range(count)]
    results = await unless_disconnected(request, asyncio.gather(*items))
    return CaptionsResponse(results=results)


async def _decode(body: CaptionRequest, settings: Settings) -> bytes:
    if body.image is None:
        raise ProblemError(problems.MALFORMED, "The field 'image' is missing: send the photo in base64 in it.")
    texts = [body.image]
    body.image = None
    (photo,) = await decode_photos(texts, most=1, most_bytes=settings.max_body_bytes)
    return photo


async def _item(request: Request, photo: bytes, caption: Callable[[bytes], Awaitable[Answer]]) -> CaptionItem:
    try:
        work = caption(require_content(photo))
        del photo  # held by `work` alone, which lets go of it early
        answer = await work
    except (CaptionError, ProblemError) as error:
        return CaptionItem(problem=report(request, error))
    return CaptionItem(result=CaptionResponse.of(answer))
