"""Puts the HTTP service together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.middleware.cors import CORSMiddleware

from photocaption import __version__
from photocaption.api.access import Gatekeeper
from photocaption.api.adapters import Adapter, choose_adapters
from photocaption.api.error_handlers import install_error_handlers
from photocaption.api.json_body import bound_json
from photocaption.api.middleware.body_limit import BodyLimitMiddleware, Buffer
from photocaption.api.middleware.full_queue import FullQueueMiddleware
from photocaption.api.middleware.pieces import PiecesMiddleware
from photocaption.api.middleware.request_log import RequestLogMiddleware
from photocaption.api.middleware.response_headers import ResponseHeadersMiddleware
from photocaption.api.openapi import correct_document
from photocaption.api.routes import captions, docs, health, model
from photocaption.serving.service import CaptionService
from photocaption.serving.settings import Settings
from photocaption.serving.tracing import is_quiet

_DESCRIPTION = "Send a photo, get a sentence that describes it. Every error is an RFC 9457 problem."


def create_app(service: CaptionService) -> FastAPI:
    """The HTTP service around `service`, which it opens and closes but does not start: see
    `photocaption.server.server`.
    """
    settings = service.settings
    app = FastAPI(
        title="Image captions",
        version=__version__,
        description=_DESCRIPTION,
        openapi_url="/openapi.json" if settings.docs else None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,  # what generated clients call their functions
        lifespan=_lifespan,
        telemetry=_configure_telemetry(service),
    )
    app.state.service = service
    app.state.gatekeeper = Gatekeeper(settings)
    install_error_handlers(app)
    adapters = app.state.adapters = choose_adapters(settings)
    _add_routes(app, settings, adapters)
    _add_middleware(app, service, adapters)
    correct_document(app, needs_key=bool(settings.api_keys))
    return app


def _configure_telemetry(service: CaptionService) -> TelemetryConfig:
    """FastAPI's own spans, of requests alone: logs and metrics go their own ways here."""
    provider = service.tracing.provider
    return TelemetryConfig(
        tracing=provider is not None,
        tracer_provider=provider,
        operation_spans=False,
        metrics=False,
        logs=False,
        auto_configure=False,
        exclude=is_quiet,
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with app.state.service:
        yield


def _add_routes(app: FastAPI, settings: Settings, adapters: list[Adapter]) -> None:
    for router in (captions.router, model.router, health.router, *(adapter.router for adapter in adapters)):
        app.include_router(router)
    if settings.metrics:
        app.include_router(health.metrics_router)
    if settings.docs:
        app.include_router(docs.router)


def _add_middleware(app: FastAPI, service: CaptionService, adapters: list[Adapter]) -> None:
    """The last one added sees a request first."""
    settings = service.settings
    buffer = Buffer(settings.max_buffered_bytes)
    max_json_bytes = bound_json(settings.max_body_bytes)
    app.add_middleware(
        BodyLimitMiddleware, max_bytes=settings.max_body_bytes, max_json_bytes=max_json_bytes, buffer=buffer
    )
    paths = [*captions.PATHS, *(path for adapter in adapters for path in adapter.captioning)]
    app.add_middleware(FullQueueMiddleware, service=service, paths=paths)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["*"],  # libraries add some by themselves: tracing, X-Requested-With, X-Stainless-…
            expose_headers=["Cache-Status", "Retry-After", "X-Request-ID"],
        )
    app.add_middleware(ResponseHeadersMiddleware, service=service)
    app.add_middleware(RequestLogMiddleware, metrics=service.metrics)
    app.add_middleware(PiecesMiddleware)
