"""Connections to the page: how long each may send or read, and how much all of them may hold.

    idle ──▶ arriving ──▶ served ──▶ reading, where the client is slow to take the answer ──▶ idle …

When there are too many connections, or when uploads and answers together take too much memory, connections that are not
being served are closed: first those of the address with most, and there the one that has been in its state for longest.
"""

import enum
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.receiver import ChunkedReceiver
from waitress.task import ErrorTask

from frontend.web.security import DOCUMENT_HEADERS, HEADERS
from frontend.web.slots import name_network

_FRAMING_BYTES = 32 * 2**10


class State(enum.Enum):
    """The states of a connection."""

    IDLE = enum.auto()
    ARRIVING = enum.auto()
    SERVED = enum.auto()
    READING = enum.auto()


class RefusalTask(ErrorTask):
    """An answer that waitress gives itself, to what is not a request that the application could take."""

    def execute(self) -> None:
        """Answer with the headers that every other answer has."""
        headers = HEADERS | DOCUMENT_HEADERS | {"Cache-Control": "no-store"}
        self.response_headers = [*self.response_headers, *headers.items()]
        super().execute()


class RequestParser(HTTPRequestParser):
    """Reads requests, and refuses addresses that Python's library raises ValueError for, half an IPv6 for one."""

    def parse_header(self, header_plus: bytes) -> None:
        """Read the head. Raises as waitress does."""
        try:
            super().parse_header(header_plus)
        except ValueError as error:
            raise ParsingError("Bad URI") from error


class TimedChannel(HTTPChannel):
    """A connection with one request at a time, and the time since which it has been in its state."""

    error_task_class = RefusalTask
    parser_class = RequestParser
    state = State.IDLE
    since = 0.0
    _active = 0.0
    _last = False  # whether it closes after the answer that is under way

    @property
    def last_activity(self) -> float:
        """When something was last read from it or written to it, on the monotonic clock; waitress sets it."""
        return self._active

    @last_activity.setter
    def last_activity(self, _: float) -> None:
        self._active = time.monotonic()

    @property
    def address(self) -> str:
        """The client's network."""
        return name_network(str(self.addr[0]))

    @property
    def held_bytes(self) -> int:
        """Of uploads, and of the answer that was not read yet."""
        uploads = [*self.requests, *([self.request] if self.request is not None else [])]
        return int(self.total_outbufs_len) + sum(upload.body_bytes_received for upload in uploads)

    def received(self, data: bytes) -> bool:
        """Take in what was read; a request that came before the last one's answer is not looked at.

        Neither is what comes beside a body without an end, trailers say: waitress would copy it again and again.
        """
        accepted = super().received(data)
        with self.requests_lock:  # type: ignore[attr-defined]  # the stubs know an older one
            for request in self.requests[1:]:
                self._last = True
                request.close()
            self.requests = self.requests[:1]
            arriving = self.request
        if arriving is None:
            self.since = 0.0  # what comes next is another request
        receiver = arriving.body_rcv if arriving is not None else None
        if isinstance(receiver, ChunkedReceiver) and len(receiver.control_line + receiver.trailer) > _FRAMING_BYTES:
            self.will_close = True
            return False
        return accepted

    def send_continue(self) -> None:
        """Ask for the body, unless the request is refused: waitress would ask, and forget the refusal."""
        if self.request is not None and self.request.error is None:
            super().send_continue()

    def service(self) -> None:
        """Answer the first request, in a worker thread; close afterwards where others came too early."""
        super().service()
        if self._last and not self.requests:
            self.close_when_flushed = True
            self.server.pull_trigger()

    def note_state(self, now: float) -> None:
        """Update the state and, where it has changed or a new request has begun, `since`."""
        if self.total_outbufs_len:
            state = State.READING
        elif self.requests:
            state = State.SERVED
        else:
            state = State.ARRIVING if self.request is not None else State.IDLE
        if state is not self.state or not self.since:
            self.state = state
            self.since = now


@dataclass(frozen=True, slots=True)
class ChannelLimits:
    """How many connections there may be, how many bytes they may hold, and seconds of silence and for each state."""

    connections: int
    held_bytes: int
    idle_seconds: float
    seconds: dict[State, float]


def sweep(channels: Iterable[object], limits: ChannelLimits) -> None:
    """End connections that are beyond a limit; called a few times a second."""
    now = time.monotonic()
    open_ones = [channel for channel in channels if isinstance(channel, TimedChannel)]
    for channel in open_ones:
        channel.note_state(now)
        silent = not channel.requests and now - channel.last_activity > limits.idle_seconds
        if silent or now - channel.since > limits.seconds.get(channel.state, float("inf")):
            channel.handle_close()
    _make_room(open_ones, limits.connections, lambda _: 1)
    _make_room(open_ones, limits.held_bytes, lambda channel: channel.held_bytes)


def _make_room(channels: list[TimedChannel], most: int, weigh: Callable[[TimedChannel], int]) -> None:
    """End connections until the others together weigh no more than `most`, or are all being served."""
    weights = [(channel, weigh(channel)) for channel in channels if channel.connected]
    excess = sum(weight for _, weight in weights) - most
    if excess <= 0:
        return
    by_address = Counter[str]()
    for channel, weight in weights:
        by_address[channel.address] += weight
    yielding = [(channel, weight) for channel, weight in weights if weight and channel.state is not State.SERVED]
    for channel, weight in sorted(yielding, key=lambda one: (-by_address[one[0].address], one[0].since)):
        if excess > 0:
            channel.handle_close()
            excess -= weight
