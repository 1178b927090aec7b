"""`GET /model`: what is serving, and what may be sent to it."""

from fastapi import APIRouter, Depends

from photocaption.api import problems
from photocaption.api.access import require_access
from photocaption.api.dependencies import Service
from photocaption.api.openapi import document_problems
from photocaption.api.schemas import ModelResponse

router = APIRouter(tags=["model"], dependencies=[Depends(require_access)])


@router.get(
    "/model",
    summary="The model and the limits",
    responses=document_problems(*problems.OF_READING),
)
async def model(service: Service) -> ModelResponse:
    """The public part of the manifest (name, version, input size, vocabulary, scores), the card and the limits."""
    return ModelResponse.of(service.captioner, service.settings)
