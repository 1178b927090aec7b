"""Runs the service in a process: listens at once, loads the model in the background, drains on SIGTERM.

    SIGTERM ──▶ /health/ready says 503, new photos are refused ──▶ accepted work finishes
            ──▶ no new connections are made ──▶ those that were are answered ──▶ stop listening, exit 0

A second signal stops at once. SIGHUP loads the bundle again, and replaces the one that serves if it is valid.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Coroutine
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from photocaption.api import create_app
from photocaption.server.listener import (
    ACCEPTED_AT_ONCE,
    BACKLOG,
    FewFilesError,
    drop_new_connections,
    open_listener,
    reserve_files,
)
from photocaption.server.protocol import LimitedConfig, LimitedProtocol
from photocaption.serving.logs import log_loop_error
from photocaption.serving.service import CaptionService, State
from photocaption.serving.settings import Settings, variable_name

_CLOSING_SECONDS = 3
_ACCEPTING_SECONDS = 0.3
_POLL_SECONDS = 0.02
_FORCED_EXIT_SECONDS = 5.0
_LOGGING_SECONDS = 1.0

_log = logging.getLogger(__name__)


class AddressError(Exception):
    """The address to listen on cannot be used."""


class IncompleteError(Exception):
    """The service stopped before it had answered everything that it had accepted."""


class Server(uvicorn.Server):
    """uvicorn's server with a service that it starts, watches and drains."""

    def __init__(self, app: ASGIApp, service: CaptionService) -> None:
        super().__init__(_configure(app, service.settings))
        self._service = service
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._ending = False
        self._reloading = False
        self.drained = False  # whether it stopped on a signal with everything that was accepted answered

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then load the model in the background."""
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(BACKLOG)  # the event loop has set it to the number of connections that it accepts at once
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(log_loop_error)
        self._loop.add_signal_handler(signal.SIGHUP, self._spawn_reload)
        self._spawn(self._start_service())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, but let connections that were made at the last moment have their answer."""
        if not self.force_exit:
            for listener in sockets or ():
                drop_new_connections(listener)
            await asyncio.sleep(_ACCEPTING_SECONDS)  # everything that the kernel has taken is accepted
            await self._await_first_requests()
        await super().shutdown(sockets)
        if self.force_exit:  # uvicorn would leave this to the end of the event loop, and log it as an error
            tasks = list(self.server_state.tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.lifespan.shutdown()

    async def _await_first_requests(self) -> None:
        """Wait until every connection has sent a request, for a few seconds at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING_SECONDS):
                while any(one.is_new for one in self.server_state.connections if isinstance(one, LimitedProtocol)):
                    await asyncio.sleep(_POLL_SECONDS)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Drain on the first signal, stop on the second.

        uvicorn would note the signal and raise it again when it is done; not noting it leaves the exit code to us.
        """
        if not self._ending:
            self._ending = True
            _force_exit_after(self._service.settings.drain_seconds + _CLOSING_SECONDS + _FORCED_EXIT_SECONDS)
        if not self.started:
            self.should_exit = self.drained = True
        elif self._stopping:
            self.should_exit = self.force_exit = True
        else:
            self._stopping = True
            self._loop.call_soon_threadsafe(self._spawn, self._drain())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _start_service(self) -> None:
        await self._service.start()
        if self._service.state is State.FAILED:
            self.should_exit = True
        elif self._service.state is State.READY:
            _log.info("ready", extra=self._list_model_fields())

    def _spawn_reload(self) -> None:
        if self._service.state is State.READY and not self._reloading:
            self._spawn(self._reload())
        else:
            _log.warning(
                "not reloaded: the service is %s", "reloading" if self._reloading else self._service.state.value
            )

    async def _reload(self) -> None:
        self._reloading = True
        try:
            await self._service.reload()
        except Exception as error:  # the old model goes on, whatever is wrong with the new one
            _log.error("not reloaded, the old model goes on: %s", error)
        else:
            _log.info("reloaded", extra=self._list_model_fields())
        finally:
            self._reloading = False

    def _list_model_fields(self) -> dict[str, str]:
        captioner = self._service.captioner
        manifest = captioner.bundle.manifest
        return {
            "model": manifest.name,
            "version": manifest.version,
            "engine": captioner.engine,
            "instructions": captioner.instructions,
        }

    async def _drain(self) -> None:
        settings = self._service.settings
        _log.info("draining")
        try:
            async with asyncio.timeout(settings.drain_seconds):
                await asyncio.gather(self._service.drain(), asyncio.sleep(settings.drain_notice_seconds))
            self.drained = True
        except TimeoutError:
            _log.warning("some accepted photos were not captioned within %g seconds", settings.drain_seconds)
        self.should_exit = True


def serve(service: CaptionService) -> None:
    """Run the service until a signal comes. Raises `AddressError`, `IncompleteError`, and why it failed to start."""
    with _open_socket(service.settings) as listener:
        host, port = listener.getsockname()[:2]
        _log.info("listening", extra={"host": host, "port": port})
        server = Server(create_app(service), service)
        server.run(sockets=[listener])
    service.tracing.close()
    if service.failure is not None:
        raise service.failure
    if not server.drained:
        raise IncompleteError("stopped before every accepted photo was captioned")


def _force_exit_after(seconds: float) -> None:
    """End the process after so long, if it has not ended: threads in a library's code cannot be interrupted."""
    timer = threading.Timer(seconds, _force_exit)
    timer.daemon = True
    timer.start()


def _force_exit() -> None:
    logging_thread = threading.Thread(
        target=_log.error, args=["something did not stop: the process ends without it"], daemon=True
    )
    logging_thread.start()
    logging_thread.join(_LOGGING_SECONDS)  # the log itself may block
    os._exit(1)


def _open_socket(settings: Settings) -> socket.socket:
    host = settings.host
    port = settings.port
    try:
        reserve_files(settings.max_connections)
        return open_listener(host, port)
    except FewFilesError as error:
        raise AddressError(f"{variable_name('max_connections')}: {error}") from None
    except OSError as error:
        raise AddressError(f"cannot listen on {host} port {port}: {error.strerror}") from error


def _configure(app: ASGIApp, settings: Settings) -> LimitedConfig:
    return LimitedConfig(
        app,
        settings,
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=ACCEPTED_AT_ONCE,
        timeout_graceful_shutdown=_CLOSING_SECONDS,
    )
