"""Phanpy's image description: a multipart photo to `POST /phanpy`, the text in `description`.

https://github.com/cheeaun/img-alt-api
"""

from fastapi import APIRouter, Depends, Request

from photocaption.api import problems
from photocaption.api.access import name_client, require_access
from photocaption.api.adapters.adapter import Adapter
from photocaption.api.adapters.sentences import caption_photos, write_sentence
from photocaption.api.dependencies import Service
from photocaption.api.openapi import Json, document_problems, document_upload
from photocaption.api.problems import Problem
from photocaption.api.schemas import CaptionResponse
from photocaption.api.uploads import read_photo

router = APIRouter(tags=["Phanpy"], dependencies=[Depends(require_access)])


class Description(CaptionResponse):
    """What `POST /caption` answers, with the text that Phanpy shows."""

    description: str


def translate(problem: Problem) -> Json:
    """A problem as Phanpy reads it: it shows `error`."""
    return problem.model_dump(exclude_none=True) | {"error": problem.detail}


@router.post(
    "/phanpy",
    summary="Describe a photo (Phanpy)",
    response_model_exclude_none=True,
    responses=document_problems(*problems.OF_BODY, *problems.OF_CAPTION, translate=translate),
    openapi_extra=document_upload(several=False),
)
async def describe(request: Request, service: Service) -> Description:
    """Send a photo as `POST /caption` takes it. The language that Phanpy asks for is ignored: captions are English."""
    service.check_room(name_client(request))
    (answer,) = await caption_photos(request, service, [await read_photo(request)])
    response = CaptionResponse.of(answer)
    return Description(**response.model_dump(), description=write_sentence(answer, service.settings))


ADAPTER = Adapter("phanpy", router, translate, captioning=("/phanpy",), prefix="/phanpy")
