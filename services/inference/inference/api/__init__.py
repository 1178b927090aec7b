"""The HTTP shell over `CaptionService`: routes, schemas, problems and middlewares. `create_app` puts them together."""

from inference.api.app import create_app

__all__ = ["create_app"]
