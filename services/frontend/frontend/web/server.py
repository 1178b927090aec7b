"""Runs the application on waitress, in which slow clients hold no worker thread.

Workers get whole requests and return whole answers; one thread does all reading and writing. Uploads and answers are in
memory, no file is written. Added to waitress are time and memory limits of connections (`channels`), and a SIGTERM
after which requests in progress are finished.
"""

import os
import resource
import signal
import socket
import threading
import time
from functools import partial
from types import FrameType
from typing import Any

from flask import Flask
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer, create_server

from frontend.settings import Settings
from frontend.web.channels import ChannelLimits, State, TimedChannel, sweep

_MAX_HEADER_BYTES = 32 * 2**10
_DRAIN_SECONDS = 25.0
_ENDING_SECONDS = 3.0
_POLL_SECONDS = 0.5
_SWEEP_SECONDS = 0.25
_NEWCOMERS = 200  # who are let in beyond the limit until the next sweep makes room
_ACCEPTED_AT_ONCE = 16
_FILES_A_CONNECTION = 2  # itself, and a file that is its answer
_OTHER_FILES = 128
_NEVER = 2**62  # bytes, or seconds: nothing is kept in a file, no thread waits until a client takes its answer


class Server:
    """The listening socket and its loop; stops when told to, after the answers under way."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        """Listen at once. Raises `OSError` when the address is taken, or connections or threads are too many."""
        _reserve_files(_FILES_A_CONNECTION * (settings.max_connections + _NEWCOMERS) + _OTHER_FILES)
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        self._listener = socket.create_server((settings.host, settings.port), family=family)
        self._channels: dict[int, Any] = {}
        try:
            server = create_server(
                app,
                map=self._channels,
                sockets=[self._listener],
                threads=settings.threads,
                connection_limit=settings.max_connections + _NEWCOMERS,
                inbuf_overflow=_NEVER,
                outbuf_overflow=_NEVER,
                outbuf_high_watermark=_NEVER,
                channel_timeout=_NEVER,  # its clock may be set: `sweep` looks instead
                # A form that is a little too large still gets a page that says so; a much larger one is cut off.
                max_request_body_size=2 * settings.max_form_bytes,
                max_request_header_size=_MAX_HEADER_BYTES,
                asyncore_use_poll=True,
                ident=None,
                clear_untrusted_proxy_headers=False,
            )
        except RuntimeError as error:
            raise OSError(f"FRONTEND_THREADS: {settings.threads} cannot be started here: {error}") from error
        if not isinstance(server, TcpWSGIServer):
            raise TypeError(type(server))
        server.channel_class = TimedChannel
        server.handle_accept = partial(_accept_some, server)  # type: ignore[method-assign]
        self._limits = ChannelLimits(
            settings.max_connections,
            settings.max_buffered_bytes,
            settings.idle_seconds,
            {State.ARRIVING: settings.request_seconds, State.READING: settings.reading_seconds},
        )
        self._swept = 0.0
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
            self._server.pull_trigger()  # ends the wait of the loop, which may close it once it is told to stop
            self._stopping = True

    def _turn(self) -> None:
        wasyncore.loop(timeout=_POLL_SECONDS, use_poll=True, map=self._channels, count=1)
        if time.monotonic() - self._swept > _SWEEP_SECONDS:
            sweep(list(self._channels.values()), self._limits)
            self._swept = time.monotonic()

    def _is_busy(self) -> bool:
        channels = [channel for channel in self._channels.values() if isinstance(channel, HTTPChannel)]
        return any(channel.requests or channel.total_outbufs_len for channel in channels)


def _accept_some(server: TcpWSGIServer) -> None:
    """Accept several connections in a turn of the loop: with one, clients behind a burst wait for seconds."""
    for _ in range(_ACCEPTED_AT_ONCE):
        TcpWSGIServer.handle_accept(server)


def stop_on_signals(server: Server) -> None:
    """Let SIGTERM and SIGINT drain the server, and end the process after a time limit."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        # Python's own end waits for the log, which may block.
        timer = threading.Timer(_DRAIN_SECONDS + _ENDING_SECONDS, os._exit, [1])
        timer.daemon = True
        timer.start()
        server.stop()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)


def _reserve_files(needed: int) -> None:
    """Let the process have so many files open. Raises `OSError`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise OSError(f"FRONTEND_MAX_CONNECTIONS: needs {needed} open files, but the process may have {hard}")
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
