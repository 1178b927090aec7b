"""A small server that speaks the inference service's contract, so that the frontend is tested against a real socket.

What it answers is decided test by test: `answers` is a queue of behaviours; once it is empty, every photo
gets a caption.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

ROWS, COLUMNS = 4, 5
WORDS = ("a", "brown", "dog", "runs", "through", "the", "grass")


@dataclass(frozen=True)
class Received:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What to send back; `delay` seconds pass before it, `drip` seconds between every byte of the body."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drip: float = 0.0
    hang_up: bool = False


def make_caption(*, alternatives: int = 3, attention: bool = False, confidence: float = 0.82) -> dict[str, Any]:
    """The body of a 200 to `POST /caption`; each word looks at another cell."""
    caption: dict[str, Any] = {
        "caption": " ".join(WORDS),
        "alt_text": "A brown dog runs through the grass.",
        "confidence": confidence,
        "alternatives": [
            {
                "caption": f"a dog is running number {n}",
                "alt_text": f"A dog is running number {n}.",
                "confidence": 0.5 / n,
                "log_probability": -3.0 * n,
            }
            for n in range(1, alternatives + 1)
        ],
        "words": [{"word": word, "probability": 0.9 - 0.1 * n} for n, word in enumerate(WORDS)],
        "image": {"width": 320, "height": 240, "format": "JPEG", "sha256": "0" * 64},
        "model": {"name": "fake", "version": "1.0.0"},
        "timings_ms": {"queue": 0.1, "decode": 2.0, "encode": 60.0, "generate": 20.0, "total": 82.1},
    }
    if attention:
        caption["attention_grid"] = {"rows": ROWS, "columns": COLUMNS}
        for n, word in enumerate(caption["words"]):
            word["attention"] = [0.81 if cell == n else 0.01 for cell in range(ROWS * COLUMNS)]
    return caption


CARD = """\
# Model card: fake

## Limits and biases

- It cannot read text.

## Use

Drafts of alt text.

| search | BLEU-1 | BLEU-2 | BLEU-3 | BLEU-4 | METEOR | ROUGE-L | CIDEr |
|---|---|---|---|---|---|---|---|
| greedy | 67.8 | 49.4 | 34.6 | 23.7 | 20.8 | 47.9 | 60.1 |
"""
SCORES = {"BLEU-4": 20.4, "CIDEr": 51.4}
MODEL = {
    "name": "fake",
    "version": "1.0.0",
    "input": {"width": 299, "height": 299},
    "vocabulary_size": 3477,
    "attention_grid": {"rows": ROWS, "columns": COLUMNS},
    "scores": {
        "dev": {"protocol": "Lower case, no punctuation.", "greedy": SCORES, "beam": SCORES},
        "everyday_dev": {"greedy": SCORES, "beam": SCORES},
    },
    "card": CARD,
}


def make_problem(status: int, detail: str = "The detail.", **headers: str) -> Answer:
    """An RFC 9457 answer."""
    body = json.dumps({"type": "about:blank", "title": "A title", "status": status, "detail": detail}).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, body, "application/problem+json", names)


class FakeInference:
    """The server's address, what it received, and what it shall answer next."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answers: deque[Answer | Callable[[Received], Answer]] = deque()
        self.confidence = 0.82
        self.readiness = Answer(body=b'{"status": "ready"}')  # to `GET /health/ready`, which takes none of the answers
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer._serve(self)

            def do_POST(self) -> None:
                outer._serve(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        received = Received(
            handler.command,
            parts.path,
            {name: values[0] for name, values in parse_qs(parts.query).items()},
            dict(handler.headers.items()),
            handler.rfile.read(int(handler.headers.get("Content-Length", 0))),
        )
        if received.path == "/health/ready":
            _send(handler, self.readiness)
            return
        self.received.append(received)
        answer = self.answers.popleft() if self.answers else self._default
        _send(handler, answer(received) if callable(answer) else answer)

    def _default(self, received: Received) -> Answer:
        if received.path == "/model":
            return Answer(body=json.dumps(MODEL).encode())
        if received.path != "/caption":
            return make_problem(404)
        caption = make_caption(
            alternatives=int(received.query.get("alternatives", "0")),
            attention=received.query.get("attention") == "true",
            confidence=self.confidence,
        )
        return Answer(body=json.dumps(caption).encode())


def _send(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    time.sleep(answer.delay)
    handler.close_connection = answer.hang_up
    if answer.hang_up:
        return
    try:
        handler.send_response(answer.status)
        for name, value in {"Content-Type": answer.content_type, **answer.headers}.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(answer.body)))
        handler.end_headers()
        if not answer.drip:
            handler.wfile.write(answer.body)
        for byte in answer.body if answer.drip else b"":
            handler.wfile.write(bytes([byte]))
            time.sleep(answer.drip)
    except (BrokenPipeError, ConnectionResetError):
        handler.close_connection = True


@contextmanager
def run_fake_inference() -> Iterator[FakeInference]:
    """A fake inference service that listens for the length of the block."""
    fake = FakeInference()
    fake.start()
    try:
        yield fake
    finally:
        fake.stop()
