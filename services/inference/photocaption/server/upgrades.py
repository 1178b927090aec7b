"""Reads a request for another protocol as one for this: RFC 9110, section 7.8, lets a server ignore the wish.

Java's client and `curl --http2` add it to their first request. httptools takes it for granted: its parser stops after
the headers, and sees no body.
"""

from collections.abc import Iterable

import httptools

_UPGRADE = b"upgrade"
_SETTINGS = b"http2-settings"
_CONNECTION = b"connection"

Header = tuple[bytes, bytes]


def wishes_upgrade(parser: httptools.HttpRequestParser, headers: Iterable[Header]) -> bool:
    """Whether the parser, whose last headers these are, will stop because of them; for CONNECT it does without."""
    return parser.should_upgrade() and any(name == _UPGRADE for name, _ in headers)


def write_plain_head(parser: httptools.HttpRequestParser, url: bytes, headers: Iterable[Header]) -> bytes:
    """What the parser has read of the request, names in lower case, without the wish."""
    lines = [b"%b %b HTTP/%b" % (parser.get_method(), url, parser.get_http_version().encode())]
    for name, value in headers:
        if name == _CONNECTION:
            options = [option.strip() for option in value.split(b",")]
            lines.append(b"connection: " + b", ".join(option for option in options if not _asks(option)))
        elif not _asks(name):
            lines.append(b"%b: %b" % (name, value))
    return b"\r\n".join([*lines, b"", b""])


def _asks(name: bytes) -> bool:
    return name.lower() in {_UPGRADE, _SETTINGS}
