"""Ignores requests to upgrade the protocol, as RFC 9110, section 7.8, allows.

Java's client and `curl --http2` add the header to their first request. The parser of httptools then stops after the
headers, and reads no body.
"""

from collections.abc import Iterable

import httptools

_UPGRADE = b"upgrade"
_SETTINGS = b"http2-settings"
_CONNECTION = b"connection"

Header = tuple[bytes, bytes]


def requests_upgrade(parser: httptools.HttpRequestParser, headers: Iterable[Header]) -> bool:
    """Whether the parser will stop after these headers because of an upgrade, and not because of CONNECT."""
    return parser.should_upgrade() and any(name == _UPGRADE for name, _ in headers)


def write_plain_head(parser: httptools.HttpRequestParser, url: bytes, headers: Iterable[Header]) -> bytes:
    """The head of the request that the parser has read, without the upgrade; names in lower case."""
    lines = [b"%b %b HTTP/%b" % (parser.get_method(), url, parser.get_http_version().encode())]
    for name, value in headers:
        if name == _CONNECTION:
            options = [option.strip() for option in value.split(b",")]
            lines.append(b"connection: " + b", ".join(option for option in options if not _is_upgrade(option)))
        elif not _is_upgrade(name):
            lines.append(b"%b: %b" % (name, value))
    return b"\r\n".join([*lines, b"", b""])


def _is_upgrade(name: bytes) -> bool:
    return name.lower() in {_UPGRADE, _SETTINGS}
