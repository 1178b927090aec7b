"""Compresses text before it goes out, so that the first load stays small without a proxy in front."""

import gzip

from flask import Flask, Response, request

_MIN_BYTES = 512
_TEXT = ("text/", "application/json", "image/svg+xml", "application/problem+json")


def compress_responses(app: Flask) -> None:
    """Gzip every text response for clients that take it. Pages hold no secrets that its size could give away."""
    app.after_request(_compress)


def _compress(response: Response) -> Response:
    response.vary.add("Accept-Encoding")
    if request.endpoint == "static":  # whose address changes with its content: these two tell a browser nothing
        response.headers.pop("Content-Disposition", None)
        response.headers.pop("Last-Modified", None)
    if not _is_worth_it(response) or not request.accept_encodings["gzip"]:
        return response
    response.direct_passthrough = False
    response.set_data(gzip.compress(response.get_data(), compresslevel=6, mtime=0))
    response.headers["Content-Encoding"] = "gzip"
    if etag := response.get_etag()[0]:
        response.set_etag(etag, weak=True)
    return response


def _is_worth_it(response: Response) -> bool:
    # Pages that carry photos as data: URLs are long and hardly shrink.
    size = response.content_length or 0
    return (
        response.status_code == 200
        and (response.mimetype or "").startswith(_TEXT)
        and _MIN_BYTES <= size <= 2**20
        and "Content-Encoding" not in response.headers
    )
