"""Runs the application on waitress, whose one reading thread is not starved by slow senders.

Workers only see whole requests. What waitress lacks is added here: a client that trickles its request for ever is cut
off, and SIGTERM lets the answers under way be finished.
"""

import signal
import socket
import time
from types import FrameType
from typing import Any

from flask import Flask
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer, create_server

from frontend.settings import Settings

_MAX_HEADER_BYTES = 32 * 2**10
_DRAIN_SECONDS = 25.0
_POLL_SECONDS = 0.5


class TimedChannel(HTTPChannel):
    """A connection whose every request has to arrive within `request_seconds`, however slowly it moves on."""

    request_seconds = 120.0
    _began: float | None = None

    def received(self, data: bytes) -> bool:
        """Take in what was read, unless this request has been arriving for too long."""
        if self._began is None:
            self._began = time.monotonic()
        elif time.monotonic() - self._began > self.request_seconds:
            self.will_close = True
            return False
        accepted = super().received(data)
        if self.request is None:
            self._began = None
        return accepted


class Server:
    """The listening socket and its loop; stops when told to, after the answers under way."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        """Listen at once. Raises `OSError` when the address is taken."""
        self._listener = socket.create_server((settings.host, settings.port))
        self._channels: dict[int, Any] = {}
        server = create_server(
            app,
            map=self._channels,
            sockets=[self._listener],
            threads=settings.threads,
            connection_limit=settings.max_connections,
            channel_timeout=settings.idle_seconds,
            cleanup_interval=5,
            # A form that is a little too large still gets a page that says so; a much larger one is cut off.
            max_request_body_size=2 * settings.max_form_bytes,
            max_request_header_size=_MAX_HEADER_BYTES,
            asyncore_use_poll=True,
            ident=None,
            clear_untrusted_proxy_headers=False,
        )
        if not isinstance(server, TcpWSGIServer):
            raise TypeError(type(server))
        server.channel_class = type("Channel", (TimedChannel,), {"request_seconds": settings.request_seconds})
        self._server = server
        self._stopping = False

    @property
    def port(self) -> int:
        """The port that is really listened on."""
        return int(self._listener.getsockname()[1])

    def run(self) -> None:
        """Serve until `stop`, then finish what was accepted."""
        while not self._stopping:
            self._turn()
        wasyncore.dispatcher.close(self._server)  # no new connections; the open ones go on
        give_up_at = time.monotonic() + _DRAIN_SECONDS
        while self._is_busy() and time.monotonic() < give_up_at:
            self._turn()
        self._server.task_dispatcher.shutdown(timeout=1)
        wasyncore.close_all(self._channels)

    def stop(self) -> None:
        """Make `run` return soon; safe in a signal handler and from another thread."""
        if not self._stopping:
            self._stopping = True
            self._server.pull_trigger()  # ends the wait of the loop

    def _turn(self) -> None:
        wasyncore.loop(timeout=_POLL_SECONDS, use_poll=True, map=self._channels, count=1)

    def _is_busy(self) -> bool:
        channels = [channel for channel in self._channels.values() if isinstance(channel, HTTPChannel)]
        return any(channel.requests or channel.total_outbufs_len for channel in channels)


def stop_on_signals(server: Server) -> None:
    """Let SIGTERM and SIGINT end the server politely."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        server.stop()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
