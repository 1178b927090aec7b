"""`GET /docs`: interactive documentation of the API, from files of the service; nothing is loaded from other hosts."""

from functools import cache
from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

from photocaption.api.problems import NOT_FOUND, ProblemError

router = APIRouter(include_in_schema=False)

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_SWAGGER = files("fastapi_swagger") / "resources"
_OWN = files("photocaption.api") / "static"
_FILES = {
    "swagger-ui-bundle.js": (_SWAGGER, "text/javascript"),
    "swagger-ui.css": (_SWAGGER, "text/css"),
    "favicon-32x32.png": (_SWAGGER, "image/png"),
    "docs.js": (_OWN, "text/javascript"),
}


@router.get("/docs")
async def docs() -> HTMLResponse:
    """Swagger UI, with a policy that forbids requests to other hosts."""
    return HTMLResponse((_OWN / "docs.html").read_bytes(), headers={"Content-Security-Policy": _POLICY})


@router.get("/docs/{name}")
async def docs_file(name: str) -> Response:
    """A file of the page; names are looked up in a list, never used as paths."""
    if name not in _FILES:
        raise ProblemError(NOT_FOUND, f"There is nothing at /docs/{name}.")
    return Response(_read(name), media_type=_FILES[name][1], headers={"Cache-Control": "max-age=86400"})


@cache
def _read(name: str) -> bytes:
    """A file, cached: otherwise each slow client would hold a copy in memory."""
    return (_FILES[name][0] / name).read_bytes()
