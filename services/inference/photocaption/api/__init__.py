"""The HTTP layer over `CaptionService`: routes, schemas, problems and middlewares, assembled by `create_app`."""

from photocaption.api.app import create_app

__all__ = ["create_app"]
