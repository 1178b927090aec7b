"""Keeps what a form brings in memory, where it is counted, and writes no file."""

from io import BytesIO
from typing import IO

from flask import Request
from werkzeug.formparser import FormDataParser

_URL_ENCODED = "application/x-www-form-urlencoded"
_MAX_URL_ENCODED_BYTES = 4096  # a form without photos; parsed, a byte of it may take two hundred


class MemoryRequest(Request):
    """A request whose files stay in memory: `web.channels` bounds all of them together."""

    def _get_file_stream(
        self,
        total_content_length: int | None,  # noqa: ARG002
        content_type: str | None,  # noqa: ARG002
        filename: str | None = None,  # noqa: ARG002
        content_length: int | None = None,  # noqa: ARG002
    ) -> IO[bytes]:
        return BytesIO()

    def make_form_data_parser(self) -> FormDataParser:
        """What parses the body, which is read after that."""
        if self.mimetype == _URL_ENCODED:
            self.max_content_length = _MAX_URL_ENCODED_BYTES
        return super().make_form_data_parser()
