"""The settings of the service, read from the environment once at start.

Every setting is a variable with the prefix `CAPTION_`; docs/operations.md lists them from these descriptions and a test
compares the two. A wrong value, or a name that does not exist, stops the start with one line that names the variable.
"""

import difflib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from photocaption.model.runtime import EngineName, RuntimeName

PREFIX = "CAPTION_"

_HASHED_KEY = re.compile(r"[A-Za-z0-9_.-]{1,64}:[0-9a-f]{64}")
_ORIGIN = re.compile(r"https?://[^/\s*]+")

Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
CommaSeparated = Annotated[tuple[str, ...], NoDecode]


class SettingsError(Exception):
    """The environment has an invalid setting; the message is one line for the operator."""


class Settings(BaseSettings):
    """The settings of the HTTP service, with their defaults."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True)

    bundle: Path = Field(Path("artifacts/default"), description="Directory of the model bundle to serve.")
    load_seconds: Seconds = Field(
        120, description="Longest that a bundle may take to be loaded and to caption a first photo; then it is refused."
    )
    runtime: RuntimeName = Field("onnx", description="What runs the model: `onnx` or `tensorflow`.")
    engine: EngineName = Field(
        "auto",
        description="What encodes photos for the runtime `onnx`: `onnxruntime`, `openvino`, or `auto` for the one that "
        "suits the processor.",
    )
    host: str = Field("127.0.0.1", description="Address to listen on; `0.0.0.0` for all.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 picks a free one and logs it.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe level that is logged."
    )

    threads: Count | None = Field(None, description="Threads for one batch; empty for the cores the process may use.")
    workers: Annotated[int, Field(ge=1, le=64)] = Field(
        2, description="Batches that the model captions at the same time, each with its share of the threads."
    )
    decode_threads: Count = Field(
        2, description="Photos decoded at the same time, each in a process of its own that can be killed."
    )
    decode_seconds: Seconds = Field(
        1, description="Most processor time that decoding a photo may take; longer ones are answered 422."
    )
    batch_size: Annotated[int, Field(ge=1, le=64)] = Field(
        4, description="Most photos the model captions in one go; it takes fewer while few wait."
    )
    queue_size: Count = Field(64, description="Photos accepted and not yet captioned; further ones are answered 429.")
    deadline_seconds: Seconds = Field(
        20, description="Longest a photo may take from its arrival to its caption; then 504."
    )
    cache_size: Annotated[int, Field(ge=0)] = Field(256, description="Recent captions kept in the cache; 0 keeps none.")

    max_body_bytes: Count = Field(32 * 2**20, description="Largest request body; larger ones are answered 413.")
    max_buffered_bytes: Count = Field(
        96 * 2**20, description="Most bytes of uploads held in memory at once; beyond it requests are answered 429."
    )
    max_pixels: Count = Field(50_000_000, description="Most pixels of a photo; larger ones are answered 422.")
    max_held_pixels: Count = Field(
        20_000_000,
        description="Most pixels of a photo that is not shrunk while it is decoded, as JPEGs are; twice for HEIC, "
        "half for WebP.",
    )
    max_side: Count = Field(
        20_000, description="Most pixels of a photo's width or height; larger ones are answered 422."
    )
    max_images: Annotated[int, Field(ge=1, le=1000)] = Field(16, description="Most photos in one `POST /captions`.")
    max_connections: Count = Field(
        512, description="Most open connections; beyond that, one that is sending, reading or idle is closed."
    )
    max_header_bytes: Annotated[int, Field(ge=1024)] = Field(
        32 * 2**10, description="Largest request line with headers; larger ones are answered 431."
    )
    header_seconds: Seconds = Field(10, description="Longest a client may take to send a request's headers; then 408.")
    body_seconds: Seconds = Field(30, description="Longest a client may take to send a request's body; then 408.")
    reading_seconds: Seconds = Field(
        30, description="Longest a client may take to read an answer; then it is disconnected."
    )
    keep_alive_seconds: Annotated[int, Field(ge=1, le=3600)] = Field(
        15, description="How long an idle connection is kept open."
    )
    trusted_proxies: int = Field(
        0,
        ge=0,
        le=10,
        description="Reverse proxies in front whose `X-Forwarded-For` is believed, so that clients without keys are "
        "told apart when the queue is full.",
    )
    drain_notice_seconds: Annotated[float, Field(ge=0, le=3600)] = Field(
        1, description="How long `/health/ready` says 503 after SIGTERM before the service stops listening."
    )
    drain_seconds: Seconds = Field(25, description="Longest that accepted work may take to finish after SIGTERM.")

    api_keys: CommaSeparated = Field(
        (), description="Who may use the API, as `name:sha256-of-key` separated by commas; empty lets everyone in."
    )
    rate_limit: Annotated[int, Field(ge=0)] = Field(
        0, description="Photos a minute for each API key; beyond it requests are answered 429. 0 is no limit."
    )
    cors_origins: CommaSeparated = Field(
        (), description="Origins whose pages may call the API from a browser, separated by commas; empty allows none."
    )
    ollama: bool = Field(
        True, description="Whether Ollama's protocol is served: `/api/generate`, `/api/chat` and what goes with them."
    )
    openai: bool = Field(True, description="Whether OpenAI's chat completions are served, under `/v1`.")
    photoprism: bool = Field(
        True, description="Whether JSON with `images` to `/caption` is answered as PhotoPrism wants it."
    )
    hugging_face: bool = Field(True, description="Whether Hugging Face's image-to-text is served, at `/huggingface`.")
    phanpy: bool = Field(True, description="Whether Phanpy's image description is served, at `/phanpy`.")
    unsure: Literal["hedged", "sentence", "refusal"] = Field(
        "hedged",
        description="What programs that show no confidence get below `CAPTION_UNSURE_BELOW`: the sentence `hedged` "
        "(“Perhaps: …”), the `sentence` as it is, or a `refusal` (422).",
    )
    unsure_below: Annotated[float, Field(ge=0, le=1)] = Field(
        0.25, description="Confidence below which a caption counts as unsure, for `CAPTION_UNSURE`."
    )
    docs: bool = Field(True, description="Whether `/docs` and `/openapi.json` are served.")
    metrics: bool = Field(True, description="Whether `/metrics` is served.")

    @field_validator("api_keys", "cors_origins", mode="before")
    @classmethod
    def _split_at_commas(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("api_keys")
    @classmethod
    def _check_keys(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        return _require_all(_HASHED_KEY, keys, "must be name:hash pairs, each hash the SHA-256 of the key in hex")

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        return _require_all(_ORIGIN, origins, "must be origins such as https://example.org, without a path")


def read_settings() -> Settings:
    """Read and check all settings. Raises `SettingsError` with one line that names every variable at fault."""
    problems = list(_name_unknown(os.environ))
    try:
        settings = Settings()
    except ValidationError as error:
        problems += [_explain(detail) for detail in error.errors(include_url=False)]
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


def _explain(detail: ErrorDetails) -> str:
    field = str(detail["loc"][0])
    given = "" if field == "api_keys" else f" (it is {str(detail['input'])!r})"
    message = detail["msg"].removeprefix("Value error, ")
    return f"{variable_name(field)}: {message[0].lower()}{message[1:]}{given}"


def _require_all(pattern: re.Pattern[str], values: tuple[str, ...], message: str) -> tuple[str, ...]:
    if not all(pattern.fullmatch(value) for value in values):
        raise ValueError(message)
    return values
