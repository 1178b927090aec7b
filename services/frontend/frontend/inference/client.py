"""The HTTP client of the inference service.

Every call has one deadline for connecting, sending, waiting and reading, a second try after a failed connection or a
503, and a circuit breaker that fails at once while the service is known to be unreachable.
"""

import time
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeVar

import requests
from pydantic import BaseModel, ValidationError

from frontend.inference.circuit_breaker import CircuitBreaker
from frontend.inference.contract import Caption, ModelFacts, Problem
from frontend.inference.errors import BusyError, DeadlineError, InvalidAnswerError, RefusedError, UnreachableError
from frontend.inference.exchange import Reply, exchange, make_session
from frontend.inference.single_flight import SingleFlight
from frontend.settings import Settings
from frontend.web.slots import Slots
from frontend.web.tracing import trace_call

RETRY_PAUSE_SECONDS = 0.2
AWAY_RETRY_SECONDS = 3.0
MODEL_DEADLINE_SECONDS = 3.0
READY_DEADLINE_SECONDS = 2.0
_MAX_WAIT_SECONDS = 3600.0

Answer = TypeVar("Answer", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Options:
    """How a photo is captioned; `beam_width` None leaves the choice to the model."""

    beam_width: int | None = None
    alternatives: int = 3
    attention: bool = False

    def as_query(self) -> dict[str, str]:
        """The query parameters of `POST /caption`."""
        query = {"alternatives": str(self.alternatives), "attention": str(self.attention).lower()}
        if self.beam_width is not None:
            query["beam_width"] = str(self.beam_width)
        return query


class InferenceClient:
    """The inference service as the page needs it: one for the whole process, thread-safe."""

    def __init__(self, settings: Settings, circuit: CircuitBreaker | None = None) -> None:
        """Connect to nothing yet; `settings` says where the service is, how to authenticate and how long to wait."""
        self._base = str(settings.inference_url).rstrip("/")
        self._api_key = settings.inference_api_key
        self._connect_seconds = settings.connect_seconds
        self._deadline_seconds = settings.deadline_seconds
        self._circuit = circuit or CircuitBreaker()
        self._slots = Slots(settings.concurrent_captions)
        self._model = SingleFlight[ModelFacts]()
        self._ready = SingleFlight[Literal[True]]()
        self._session = make_session(settings.concurrent_captions)

    def check_reachable(self) -> None:
        """Raise `UnreachableError` while the service is known to be unreachable, before a photo is read."""
        if wait := self._circuit.wait:
            raise UnreachableError(wait)

    def caption(self, photo: bytes, options: Options, request_id: str, address: str = "") -> Caption:
        """Caption the bytes of a photo, for the client at `address`. Raises an `InferenceError`."""
        return _parse(Caption, self._send_photo(photo, options.as_query(), request_id, address))

    def caption_with_defaults(self, photo: bytes, request_id: str, address: str = "") -> bytes:
        """The answer to a photo without any options, as it comes. Raises an `InferenceError`."""
        return self._send_photo(photo, {}, request_id, address).body

    def model(self, request_id: str) -> ModelFacts:
        """The service's facts about its model. Raises an `InferenceError`."""
        return self._model.get(partial(self._ask_model, request_id))

    def check_ready(self, request_id: str) -> None:
        """Raise an `InferenceError` unless a photo would be captioned now."""
        self._ready.get(partial(self._ask_ready, request_id))

    def _ask_model(self, request_id: str) -> ModelFacts:
        request = self._request("GET", "/model", request_id)
        return _parse(ModelFacts, self._ask(request, min(MODEL_DEADLINE_SECONDS, self._deadline_seconds)))

    def _ask_ready(self, request_id: str) -> Literal[True]:
        seconds = min(READY_DEADLINE_SECONDS, self._deadline_seconds)
        self._try(self._request("GET", "/health/ready", request_id), time.monotonic() + seconds)
        return True

    def _request(self, method: str, path: str, request_id: str) -> requests.Request:
        headers = {"X-Request-ID": request_id}
        if self._api_key is not None:
            headers["Authorization"] = f"Bearer {self._api_key.get_secret_value()}"
        return requests.Request(method, self._base + path, headers=headers)

    def _send_photo(self, photo: bytes, query: dict[str, str], request_id: str, address: str) -> Reply:
        request = self._request("POST", "/caption", request_id)
        request.params = query
        request.data = photo
        # Inference judges the format by content; any image type selects the form of the request without parts.
        request.headers["Content-Type"] = "image/jpeg"
        with self._slots.take(address) as taken:
            if not taken:  # waiting would hold a thread that pages need
                raise BusyError
            return self._ask(request, self._deadline_seconds)

    def _ask(self, request: requests.Request, seconds: float) -> Reply:
        """Send `request`, a second time where that may help: captioning a photo twice does no harm."""
        with trace_call(f"{request.method} {request.url.removeprefix(self._base)}") as trace_headers:
            request.headers |= trace_headers
            return self._ask_twice(request, time.monotonic() + seconds)

    def _ask_twice(self, request: requests.Request, deadline: float) -> Reply:
        try:
            return self._try(request, deadline)
        except UnreachableError:
            pass
        except RefusedError as error:
            if error.problem.status != requests.codes.unavailable:
                raise
        time.sleep(RETRY_PAUSE_SECONDS)
        return self._try(request, deadline)

    def _try(self, request: requests.Request, deadline: float) -> Reply:
        if not self._circuit.allow():
            raise UnreachableError(self._circuit.wait)
        try:
            reply = exchange(self._session, request, connect=self._connect_seconds, deadline=deadline)
        except requests.ReadTimeout as error:
            self._circuit.failed()
            raise DeadlineError from error
        except requests.RequestException as error:
            self._circuit.failed()
            raise UnreachableError(AWAY_RETRY_SECONDS) from error
        self._circuit.succeeded()
        if reply.status != requests.codes.ok:
            raise _read_problem(reply)
        return reply


def _parse(kind: type[Answer], reply: Reply) -> Answer:
    try:
        return kind.model_validate_json(reply.body)
    except ValidationError as error:
        message = f"{kind.__name__}: {error.error_count()} fields outside the contract"
        raise InvalidAnswerError(message) from error


def _read_problem(reply: Reply) -> RefusedError:
    try:
        problem = Problem.model_validate_json(reply.body).model_copy(update={"status": reply.status})
    except ValidationError:
        problem = Problem(status=reply.status)
    return RefusedError(problem, _read_seconds(reply.headers.get("Retry-After")))


def _read_seconds(retry_after: str | None) -> float | None:
    """`Retry-After` in seconds, at most an hour; its other form, a date, is not one that inference sends."""
    if retry_after is None or not (retry_after.isascii() and retry_after.isdigit()):
        return None
    return min(float(retry_after), _MAX_WAIT_SECONDS)
