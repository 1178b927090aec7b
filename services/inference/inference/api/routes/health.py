"""Probes for whoever runs the service: alive, ready, and the metrics."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from inference.api import problems
from inference.api.dependencies import Service
from inference.api.openapi import document_problems
from inference.api.problems import ProblemError
from inference.api.schemas import HealthResponse
from inference.service import State

router = APIRouter(tags=["operations"])
metrics_router = APIRouter(tags=["operations"])

_RETRY_AFTER = 2
_REASONS = {
    State.STARTING: "The model is still loading. Please try again in a few seconds.",
    State.DRAINING: "The service is about to stop.",
    State.FAILED: "The model could not be loaded; the service's log says why.",
}


@router.get("/health/live", summary="Is the process alive?", responses=document_problems(problems.INTERNAL))
async def live() -> HealthResponse:
    """200 as long as the process answers at all."""
    return HealthResponse(status="alive")


@router.get(
    "/health/ready",
    summary="Would a photo be captioned now?",
    responses=document_problems(problems.INTERNAL, problems.NOT_READY),
)
async def ready(service: Service) -> HealthResponse:
    """200 once the bundle is verified and a first caption was made; 503 before that and while draining."""
    if service.state is not State.READY:
        raise ProblemError(problems.NOT_READY, _REASONS[service.state], retry_after=_RETRY_AFTER)
    return HealthResponse(status=service.state.value)


@metrics_router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        **document_problems(problems.INTERNAL),
    },
)
async def metrics(service: Service) -> Response:
    """Requests, time by stage, queue, batches, cache, rejections, confidence, memory."""
    return Response(service.metrics.render(), headers={"Content-Type": CONTENT_TYPE_LATEST})
