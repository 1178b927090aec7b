"""The trace that a request belongs to, as W3C Trace Context hands it from one service to the next."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from werkzeug.datastructures import Headers

_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_MAX_STATE = 512


@dataclass(frozen=True, slots=True)
class TraceContext:
    """The id of a trace, None outside of one, and the headers that hand it on."""

    trace_id: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def read_trace_context(headers: Headers) -> TraceContext:
    """The trace that a caller's headers name; none where they are not sound."""
    parent = headers.get("traceparent", "")
    match = _TRACEPARENT.fullmatch(parent)
    if match is None:
        return TraceContext()
    state = headers.get("tracestate", "")
    sound = 0 < len(state) <= _MAX_STATE and state.isascii() and state.isprintable()
    return TraceContext(match[1], {"traceparent": parent} | ({"tracestate": state} if sound else {}))
