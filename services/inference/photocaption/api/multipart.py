"""Reads multipart forms as clients write them, in memory.

It also accepts what Starlette's parser does not: a preamble before the first boundary (RFC 2046, section 5.1.1), and
files without a `filename`, with the name of the field or a `filename*` alone.
"""

from collections.abc import AsyncGenerator

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartParser

FILE_FIELDS = ("image", "file", "photo")  # names that programs use; the first is the documented one
_MAX_OTHER_FIELDS = 16
_MAX_FIELD_BYTES = 4096


class MemoryParser(MultiPartParser):
    """A parser of a form whose fields in `FILE_FIELDS` are files, whatever they are called.

    `nameless`: those of them that have no name of a file; `ended`: whether the form's end has come.
    """

    spool_max_size = 0  # the standard library's spelling of "never move to a file"

    def __init__(self, headers: Headers, stream: AsyncGenerator[bytes, None], *, max_files: int) -> None:
        super().__init__(
            headers,
            _skip_preamble(headers, stream),
            max_files=max_files,
            max_fields=_MAX_OTHER_FIELDS,
            max_part_size=_MAX_FIELD_BYTES,
        )
        self.nameless: list[UploadFile] = []
        self.ended = False

    def on_headers_finished(self) -> None:
        """The headers of a part, which say whether it is a file."""
        part = self._current_part
        disposition = part.content_disposition or b""
        _, options = parse_options_header(disposition)
        extended = b"filename*" in disposition.lower()
        is_file = extended or options.get(b"name", b"").decode("latin-1") in FILE_FIELDS
        if is_file and b"filename" not in options:
            part.content_disposition = disposition + b'; filename=""'
        super().on_headers_finished()
        if part.file is not None and b"filename" not in options and not extended:
            self.nameless.append(part.file)

    def on_end(self) -> None:
        """Note that the closing boundary has come."""
        self.ended = True

    def close(self) -> None:
        """Close the files that hold the parts."""
        for file in self._files_to_close_on_error:
            file.close()


async def _skip_preamble(headers: Headers, stream: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The body from its first boundary on."""
    _, parameters = parse_options_header(headers["content-type"])
    mark = b"\r\n--" + parameters.get(b"boundary", b"")
    before = b"\r\n"  # the first boundary may be where the body begins
    async for chunk in stream:
        before += chunk
        begin = before.find(mark)
        if begin >= 0:
            yield before[begin + 2 :]
            break
        before = before[-len(mark) :]
    async for chunk in stream:
        yield chunk
