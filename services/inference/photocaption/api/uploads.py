"""Takes photos out of a request: the raw body, or the parts of a multipart form that are named as in `FILE_FIELDS`.

Everything stays in memory, which `middleware.body_limit` bounds: the service runs where no file can be written.
"""

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException

from photocaption.api import problems
from photocaption.api.multipart import FILE_FIELDS, MemoryParser
from photocaption.api.problems import ProblemError

PART = FILE_FIELDS[0]
JSON = "application/json"
_MULTIPART = "multipart/form-data"
_HEAD = 4096  # bytes
_RAW = ("", "application/octet-stream")  # media types that say nothing about the content


def require_content(photo: bytes) -> bytes:
    """`photo`. Raises a `ProblemError` if it is empty."""
    if not photo:
        raise ProblemError(problems.MALFORMED, "The photo is empty: it has 0 bytes.")
    return photo


async def read_photo(request: Request) -> bytes:
    """The one photo of the request. Raises `ProblemError` when there is none, or more than one."""
    media_type = read_media_type(request)
    if media_type.startswith("image/") or media_type in _RAW:
        # `Request.body` would keep the photo until it is answered, long after it was decoded.
        return require_content(b"".join([piece async for piece in request.stream()]))
    if media_type != _MULTIPART:
        detail = (
            f"Send the photo in a multipart/form-data part named '{PART}', its bytes with an image content type, such "
            f"as image/jpeg, or {JSON} with its base64 in 'image'."
        )
        raise ProblemError(problems.UNSUPPORTED_TYPE, detail)
    photos = await _read_parts(request, max_photos=1)
    return require_content(photos[0])


async def read_photos(request: Request, max_photos: int) -> list[bytes]:
    """The photos of a multipart request, in order; one may be empty.

    Raises `ProblemError` when there are none, or more than `max_photos`.
    """
    if read_media_type(request) != _MULTIPART:
        raise ProblemError(
            problems.UNSUPPORTED_TYPE, "Send the photos in multipart/form-data parts, each named 'image'."
        )
    return await _read_parts(request, max_photos)


def read_media_type(request: Request) -> str:
    """The body's media type in lower case; empty where the request names none. Raises as `refuse_compressed` does."""
    refuse_compressed(request)
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def refuse_compressed(request: Request) -> None:
    """Raise a `ProblemError` for a body in any content encoding."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        detail = "Compressed request bodies are not accepted: send the photo as it is, without a Content-Encoding."
        raise ProblemError(problems.UNSUPPORTED_TYPE, detail, headers={"Accept-Encoding": "identity"})


async def _read_parts(request: Request, max_photos: int) -> list[bytes]:
    parser = MemoryParser(request.headers, request.stream(), max_files=max_photos)
    try:
        return await _collect(parser)
    except MultiPartException as error:
        raise ProblemError(problems.MALFORMED, _explain(error.message, max_photos)) from None
    except ValueError:  # a charset that cannot be looked up, or that does not decode
        raise ProblemError(problems.MALFORMED, "The multipart body names a charset that cannot be used.") from None
    finally:
        parser.close()


async def _collect(parser: MemoryParser) -> list[bytes]:
    form = await parser.parse()
    parts = [part for name, part in form.multi_items() if name in FILE_FIELDS and isinstance(part, UploadFile)]
    if not parser.ended:
        raise ProblemError(problems.MALFORMED, "The multipart body ends before its closing boundary.")
    photos = [await part.read() for part in parts]
    if any(_is_text(photo) for part, photo in zip(parts, photos, strict=True) if part in parser.nameless):
        detail = (
            f"The part '{PART}' is not a file but text: send the photo itself, as `curl -F {PART}=@photo.jpg` does."
        )
        raise ProblemError(problems.MALFORMED, detail)
    if not photos:
        raise ProblemError(problems.MALFORMED, f"The part '{PART}' is missing: send the photo in a part of that name.")
    return photos


def _is_text(content: bytes) -> bool:
    """Whether it is certainly no image: each format has a zero byte near its beginning."""
    return b"\0" not in content[:_HEAD]


def _explain(message: str, max_photos: int) -> str:
    if message.startswith("Too many files"):
        return f"Send at most {max_photos} {'file' if max_photos == 1 else 'files'} in a request to this address."
    return f"The multipart body cannot be read: {problems.lower_first(message)}"
