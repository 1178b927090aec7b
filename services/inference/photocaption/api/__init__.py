"""The HTTP shell over `CaptionService`: routes, schemas, problems and middlewares. `create_app` puts them together."""

from photocaption.api.app import create_app

__all__ = ["create_app"]
