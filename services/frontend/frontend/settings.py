"""The settings of the page, read from the environment once at start.

Every setting is a variable with the prefix `FRONTEND_`. A wrong value, or a name that does not exist, stops the start
with one line that names the variable.
"""

import difflib
import os
from collections.abc import Iterable
from typing import Annotated
from urllib.parse import urlsplit, urlunsplit

from pydantic import AnyHttpUrl, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "FRONTEND_"

Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0, le=3600)]


class SettingsError(Exception):
    """The environment holds a setting that cannot be used; the message is one line for the operator."""


class Settings(BaseSettings):
    """The settings of the frontend, with their defaults."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, hide_input_in_errors=True)

    host: str = Field("127.0.0.1", description="Address to listen on; `0.0.0.0` for all.")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 picks a free one and logs it.")
    threads: int = Field(24, ge=2, le=256, description="Requests answered at the same time.")
    max_connections: int = Field(
        1000, ge=10, description="Most open connections; beyond that, one that is sending, reading or idle is closed."
    )
    idle_seconds: Seconds = Field(30, description="After how long a silent connection is closed.")
    request_seconds: Seconds = Field(
        120, description="Longest a client may take to send a request; then it is cut off."
    )
    reading_seconds: Seconds = Field(60, description="Longest a client may take to read an answer; then it is cut off.")
    max_buffered_bytes: int = Field(
        96 * 2**20,
        ge=1024,
        description="Most bytes of uploads and unread answers held at once; beyond that, the slowest are closed.",
    )
    trusted_proxies: int = Field(
        0, ge=0, le=10, description="Reverse proxies in front whose `X-Forwarded-…` headers are believed."
    )

    inference_url: AnyHttpUrl = Field(
        AnyHttpUrl("http://localhost:8000"), description="Where the inference service is reached."
    )
    inference_api_key: SecretStr | None = Field(None, description="Key sent to the inference service, if it wants one.")
    public_api_url: AnyHttpUrl | None = Field(
        None, description="Address of the inference service shown to developers; empty for `FRONTEND_INFERENCE_URL`."
    )
    connect_seconds: Seconds = Field(2, description="Longest wait for a connection to the inference service.")
    deadline_seconds: Seconds = Field(30, description="Longest wait for a caption, the second try included; then 504.")
    concurrent_captions: Count = Field(
        12,
        description="Captions asked for at the same time, three quarters of them by one address; at most half "
        "of `FRONTEND_THREADS`, so that pages stay quick.",
    )

    max_photo_bytes: int = Field(
        10 * 2**20, ge=1024, description="Largest photo accepted; larger ones are answered 413."
    )
    max_form_photos: int = Field(8, ge=1, le=100, description="Most photos in one form sent without JavaScript.")
    max_form_bytes: int = Field(24 * 2**20, ge=1024, description="Largest form sent without JavaScript.")

    @property
    def api_base(self) -> str:
        """Address of the inference service as developers see it, without credentials or a trailing slash."""
        url = urlsplit(str(self.public_api_url or self.inference_url))
        return urlunsplit(url._replace(netloc=url.netloc.rpartition("@")[2])).rstrip("/")


def read_settings() -> Settings:
    """Read and check the environment; raises `SettingsError` with one line that names every variable at fault."""
    problems = list(_name_unknown(os.environ))
    try:
        settings = Settings()
    except ValidationError as error:
        problems += [f"{variable_name(str(fault['loc'][0]))}: {fault['msg']}" for fault in error.errors()]
    if problems:
        raise SettingsError("; ".join(problems))
    return settings


def variable_name(field: str) -> str:
    """The environment variable that sets `field`."""
    return PREFIX + field.upper()


def _name_unknown(names: Iterable[str]) -> Iterable[str]:
    known = [variable_name(field) for field in Settings.model_fields]
    for name in sorted(names):
        if name.startswith(PREFIX) and name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            yield f"{name} is not a setting" + (f"; did you mean {close[0]}?" if close else "")
