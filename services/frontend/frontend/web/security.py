"""Security headers, and the refusal of cross-site requests."""

from flask import Flask, Request, Response, abort, request

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "font-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"}
# What browsers heed on documents alone; for a script or an image they are wasted bytes.
DOCUMENT_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    # Not `no-referrer`: that would make the browser send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), microphone=(), payment=(), usb=()",
}
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


def protect(app: Flask) -> None:
    """Add the headers to every response and refuse cross-site requests that do something."""
    app.before_request(_refuse_cross_site)
    app.after_request(_add_headers)


def is_cross_site(incoming: Request) -> bool:
    """Whether a page of another site made the browser send this.

    Browsers say so in Sec-Fetch-Site, or, over plain HTTP, in Origin. A client that sends neither is not a browser, so
    that no page of another site can be behind it.
    """
    fetch_site = incoming.headers.get("Sec-Fetch-Site")
    if fetch_site is not None:
        return fetch_site not in {"same-origin", "none"}
    origin = incoming.headers.get("Origin")
    return origin is not None and origin.partition("://")[2] != incoming.host


def _refuse_cross_site() -> None:
    if request.method not in _SAFE_METHODS and is_cross_site(request):
        abort(403)


def _add_headers(response: Response) -> Response:
    response.headers.update(HEADERS if request.endpoint == "static" else HEADERS | DOCUMENT_HEADERS)
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
    return response
