"""Hugging Face's image-to-text task: a photo to `POST /huggingface`, a list with one text back.

https://huggingface.co/docs/api-inference/tasks/image-to-text
"""

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, JsonValue

from photocaption.api import problems
from photocaption.api.access import name_client, require_access
from photocaption.api.adapters.adapter import Adapter
from photocaption.api.adapters.sentences import caption_photos, write_sentences
from photocaption.api.dependencies import Service
from photocaption.api.json_body import StrictModel, decode_photos, document_json, read_json
from photocaption.api.openapi import Json, document_problems
from photocaption.api.problems import Problem
from photocaption.api.uploads import JSON, read_media_type, read_photo

router = APIRouter(tags=["Hugging Face"], dependencies=[Depends(require_access)])


class ImageToTextRequest(StrictModel):
    """A photo in base64; parameters make no difference."""

    inputs: str
    parameters: dict[str, JsonValue] | None = None


class ImageToText(BaseModel):
    """The sentence about the photo."""

    generated_text: str


def translate(problem: Problem) -> Json:
    """A problem in Hugging Face's JSON."""
    return {"error": problem.detail}


@router.post(
    "/huggingface",
    summary="Describe a photo (image-to-text)",
    responses=document_problems(*problems.OF_BODY, *problems.OF_CAPTION, translate=translate),
    openapi_extra=document_json(ImageToTextRequest, raw=True),
)
async def image_to_text(request: Request, service: Service) -> list[ImageToText]:
    """Send the bytes of a photo, or JSON with its base64 in `inputs`; get a sentence."""
    service.check_room(name_client(request))
    settings = service.settings
    if read_media_type(request) == JSON:
        body = await read_json(request, ImageToTextRequest)
        texts = [body.inputs]
        del body
        photos = await decode_photos(texts, most=1, most_bytes=settings.max_body_bytes)
    else:
        photos = [await read_photo(request)]
    text = write_sentences(await caption_photos(request, service, photos), settings)
    return [ImageToText(generated_text=text)]


ADAPTER = Adapter("hugging_face", router, translate, captioning=("/huggingface",), prefix="/huggingface")
