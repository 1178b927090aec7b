"""Dependencies of routes."""

from typing import Annotated

from fastapi import Depends, Request

from photocaption.serving.service import CaptionService


async def _service(request: Request) -> CaptionService:
    service = request.app.state.service
    assert isinstance(service, CaptionService)
    return service


Service = Annotated[CaptionService, Depends(_service)]
