"""Probes for operators: alive, ready, and the metrics."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from photocaption.api import problems
from photocaption.api.dependencies import Service
from photocaption.api.openapi import document_problems
from photocaption.api.schemas import HealthResponse

router = APIRouter(tags=["operations"])
metrics_router = APIRouter(tags=["operations"])


@router.head("/health/live", include_in_schema=False)
@router.get("/health/live", summary="Is the process alive?", responses=document_problems(problems.INTERNAL))
async def live() -> HealthResponse:
    """200 as long as the process answers at all."""
    return HealthResponse(status="alive")


@router.head("/health/ready", include_in_schema=False)
@router.get(
    "/health/ready",
    summary="Would a photo be captioned now?",
    responses=document_problems(problems.INTERNAL, problems.NOT_READY),
)
async def ready(service: Service) -> HealthResponse:
    """200 once the bundle is verified and a first caption was made; 503 before that and while draining."""
    service.check_ready()
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
