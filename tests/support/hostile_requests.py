"""Hostile HTTP requests: wrong lengths, broken framing, unknown methods, damaged bodies."""

import base64
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from support.hostile_images import mutate
from support.photos import photo_bytes

_PHOTO = photo_bytes("red")
_BASE64 = base64.b64encode(_PHOTO).decode()
_URI = f"data:image/png;base64,{_BASE64}"
_PROBLEM = b"application/problem+json"
_METHODS = (
    "GET",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "HEAD",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "BREW",
    "post",
    "G\x00T",
    "",
)
_PATHS = (
    "/caption", "/captions", "/model", "/health/ready", "/metrics", "/docs", "/openapi.json", "/", "*", "//caption",
    "/caption/", "/caption?beam_width=99", "/caption?beam_width=" + "9" * 5000, "/caption?%ff=%00", "/../../etc/passwd",
    "/docs/..%2f..%2fapp.py", "/%", "/\x7f", "/caption#a", "http://elsewhere/caption", "/" + "a" * 3000,
)  # fmt: skip
_HEADERS = (
    "Host: a", "Host: a\r\nHost: b", "Content-Length: 0", "Content-Length: 99999999999999999999", "Content-Length: -5",
    "Content-Length: 5\r\nContent-Length: 6", "Transfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: chunked\r\nContent-Length: 4", "Expect: 100-continue", "Expect: 200-ok", "Connection: close",
    "Connection: upgrade\r\nUpgrade: websocket", "Connection: upgrade\r\nUpgrade: h2c", "Content-Encoding: gzip",
    "Content-Type: image/png", "Content-Type: multipart/form-data", "Content-Type: multipart/form-data; boundary=",
    "Content-Type: multipart/form-data; boundary=\x01", "Content-Type: " + "a" * 4000, "X-Request-ID: {}\t",
    "Authorization: Bearer " + "k" * 3000, "Accept: \xff\xfe", "Cookie: " + "c=d; " * 500, "X: " * 100, " folded: a",
    "Range: bytes=0-1", "Origin: null", "Access-Control-Request-Method: POST",
    "Content-Type: multipart/form-data; boundary=x; charset=utf-7",
)  # fmt: skip
_PART_HEADERS = (
    b'Content-Disposition: form-data; name="image"; filename="a.png"',
    b'Content-Disposition: form-data; name="image"',
    b'Content-Disposition: form-data; filename="../../etc/passwd"',
    b"Content-Disposition: form-data; name=\"image\"; filename*=utf-8''%ff%fe",
    b'Content-Disposition: form-data; name="' + b"i" * 5000 + b'"',
    b"Content-Disposition: form-data; name=image; filename=\xff\xfe\x00",
    b"Content-Type: image/png",
    b"Content-Transfer-Encoding: base64",
    b"",
    b": empty",
)


# What other programs send.
_JSON: dict[str, object] = {
    "/caption": {"image": _URI},
    "/api/show": {"model": "llava"},
    "/api/generate": {"model": "llava", "prompt": "What is this?", "images": [_BASE64], "options": {"seed": 1}},
    "/api/chat": {
        "messages": [{"role": "user", "content": "And this?", "images": [_BASE64, _BASE64]}],
        "stream": False,
    },
    "/v1/chat/completions": {
        "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": _URI}}]}],
        "stream": True,
    },
    "/huggingface": {"inputs": _BASE64, "parameters": {}},
}


@dataclass(frozen=True)
class Exchange:
    """Bytes to send in these pieces; `complete` when an answer is due, and not only a closed connection; `error_type`
    is the media type of an answer that is an error."""

    pieces: tuple[bytes, ...]
    complete: bool = False
    error_type: bytes = _PROBLEM


def exchanges(count: int, chance: random.Random) -> Iterator[Exchange]:
    """`count` hostile exchanges; the kinds take turns."""
    for number in range(count):
        yield _KINDS[number % len(_KINDS)](chance)


def _sound(chance: random.Random) -> Exchange:
    return Exchange((_head("/caption", "image/png", len(_PHOTO)) + _PHOTO,), complete=True)


def _mutated(chance: random.Random) -> Exchange:
    return Exchange((mutate(_head("/caption", "image/png", len(_PHOTO)), chance) + _PHOTO,))


def _odd_heads(chance: random.Random) -> Exchange:
    lines = [
        f"{chance.choice(_METHODS)} {chance.choice(_PATHS)} HTTP/{chance.choice(('1.1', '1.1', '1.0', '2.0', '0.9'))}"
    ]
    lines += chance.choices(_HEADERS, k=chance.randint(0, 5))
    return Exchange(("\r\n".join([*lines, "", ""]).encode("latin-1") + chance.choice((b"", _PHOTO)),))


def _odd_parts(chance: random.Random) -> Exchange:
    body = _multipart(chance)
    path = chance.choice(("/caption", "/captions"))
    return Exchange((_head(path, "multipart/form-data; boundary=x", len(body)) + body,), complete=True)


def _mutated_parts(chance: random.Random) -> Exchange:
    body = mutate(_multipart(chance), chance)
    return Exchange((_head("/captions", "multipart/form-data; boundary=x", len(body)) + body,), complete=True)


def _sound_json(chance: random.Random) -> Exchange:
    path = chance.choice(tuple(_JSON))
    return _send_json(path, json.dumps(_JSON[path]).encode())


def _mutated_json(chance: random.Random) -> Exchange:
    path = chance.choice(tuple(_JSON))
    return _send_json(path, mutate(json.dumps(_JSON[path]).encode(), chance))


def _send_json(path: str, body: bytes) -> Exchange:
    error_type = _PROBLEM if path == "/caption" else b"application/json"
    return Exchange((_head(path, "application/json", len(body)) + body,), complete=True, error_type=error_type)


def _thousands_of_parts(chance: random.Random) -> Exchange:
    body = (b"--x\r\n" + _PART_HEADERS[1] + b"\r\n\r\n\r\n") * chance.randint(1000, 5000) + b"--x--\r\n"
    return Exchange((_head("/captions", "multipart/form-data; boundary=x", len(body)), body), complete=True)


def _length_too_long(chance: random.Random) -> Exchange:
    return Exchange((_head("/caption", "image/png", len(_PHOTO) + chance.randint(1, 10**6)) + _PHOTO,))


def _length_too_short(chance: random.Random) -> Exchange:
    return Exchange((_head("/caption", "image/png", chance.randrange(len(_PHOTO))) + _PHOTO,), complete=True)


def _far_too_large(chance: random.Random) -> Exchange:
    return Exchange((_head("/caption", "image/png", chance.choice((10**8, 10**12))), bytes(10_000)), complete=True)


def _broken_chunks(chance: random.Random) -> Exchange:
    head = b"POST /caption HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
    sound = b"%x\r\n%b\r\n0\r\n\r\n" % (len(_PHOTO), _PHOTO)
    return Exchange((head, mutate(sound, chance) if chance.random() < 0.8 else sound))


def _in_pieces(chance: random.Random) -> Exchange:
    request = _head("/caption", "image/png", len(_PHOTO)) + _PHOTO
    cuts = sorted(chance.sample(range(1, len(request)), 5))
    pieces = tuple(request[start:end] for start, end in zip([0, *cuts], [*cuts, len(request)], strict=True))
    return Exchange(pieces, complete=True)


def _hang_up(chance: random.Random) -> Exchange:
    request = _head("/caption", "image/png", len(_PHOTO)) + _PHOTO
    return Exchange((request[: chance.randrange(len(request))],))


def _pipelined(chance: random.Random) -> Exchange:
    requests = [_head("/caption", "image/png", len(_PHOTO)) + _PHOTO, b"GET /model HTTP/1.1\r\nHost: a\r\n\r\n"]
    return Exchange((b"".join(chance.choices(requests, k=chance.randint(2, 20))),), complete=True)


def _noise(chance: random.Random) -> Exchange:
    return Exchange((chance.randbytes(chance.randint(1, 5000)),))


_KINDS: tuple[Callable[[random.Random], Exchange], ...] = (
    _sound, _mutated, _odd_heads, _odd_parts, _mutated_parts, _length_too_long, _length_too_short, _far_too_large,
    _broken_chunks, _in_pieces, _hang_up, _pipelined, _noise, _thousands_of_parts, _mutated, _odd_heads, _odd_parts,
    _mutated_parts, _sound_json, _mutated_json,
)  # fmt: skip


def _head(path: str, content_type: str, length: int) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: a", f"Content-Type: {content_type}", f"Content-Length: {length}", "", ""]
    return "\r\n".join(lines).encode()


def _multipart(chance: random.Random) -> bytes:
    parts = []
    for _ in range(chance.randint(0, 6)):
        headers = b"\r\n".join(chance.choices(_PART_HEADERS, k=chance.randint(1, 2)))
        parts.append(b"--x\r\n" + headers + b"\r\n\r\n" + chance.choice((_PHOTO, b"", chance.randbytes(50))) + b"\r\n")
    return b"".join(parts) + chance.choice((b"--x--\r\n", b"--x--", b"--x\r\n", b""))
