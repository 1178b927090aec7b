"""Tells a container engine or load balancer that this process answers; inference has its own checks."""

from flask import Blueprint
from flask.typing import ResponseReturnValue

blueprint = Blueprint("health", __name__)


@blueprint.get("/health")
def live() -> ResponseReturnValue:
    """200 while the frontend serves; it does so whether inference is there or not."""
    return {"status": "ok"}
