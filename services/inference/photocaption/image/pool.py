"""Decodes photos in processes of their own, which are killed and replaced when they exceed a limit or crash.

    service, a thread for each ──socket──▶ image.worker ──socket──▶ pixels

The pool has `size` slots, each with a process. A slot is free, or held by the thread whose photo is decoded there, or
by the thread that restarts its process (`_restart_worker`). A photo with which a decoder never ends, allocates without
bound or crashes costs its sender an error and the service one small process. Copying a photo there and its pixels back
takes a fraction of a millisecond.
"""

import contextlib
import logging
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from photocaption import errors
from photocaption.caption import ImageProperties
from photocaption.errors import (
    DeadlineExceededError,
    ImageDecoderError,
    ImageError,
    LongDecodingError,
    UndecodableImageError,
)
from photocaption.image import decode, preprocessing
from photocaption.image.decode import BYTES_A_PIXEL, ImageLimits
from photocaption.image.ipc import receive, send
from photocaption.image.worker import TOO_SLOW_SIGNAL, DecodeLimits, Target
from photocaption.repeated_warning import RepeatedWarning

Pixels = npt.NDArray[np.uint8]
Decode = Callable[[bytes, Target], tuple[Pixels, ImageProperties]]

# Signals of the kernel for a program that crashes. Others may come from outside: the system was short of memory, or
# somebody killed it.
_CRASHES = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE, signal.SIGSYS})
_BESIDE_PIXELS = 128 * 2**20  # of which NumPy takes 82, where an image needs it
_SOCKET_BYTES = 2**20  # so that most photos, and all pixels, are sent by one system call
_ENDING_SECONDS = 5.0
# For glibc. By default it returns the buffers of each photo to the system and gets them again, page by page, for the
# next: a fifth of the time for a photo of 1 megapixel. Buffers larger than a shrunk JPEG's are still returned.
_KEEP_FREED = {"MALLOC_MMAP_THRESHOLD_": str(4 * 2**20), "MALLOC_TRIM_THRESHOLD_": str(16 * 2**20)}
_ONE_ARENA = {"MALLOC_ARENA_MAX": "1"}  # each of libheif's threads would reserve 64 MB of the address space

_RESTART_SECONDS = 1.0
_STARTING_SECONDS = 60.0  # of a process on a machine under load
_TIMED_OUT = "The photo was not decoded in time. Please try again a little later."
NONE_DECODES = "No process decodes photos at the moment. Please try again in a few seconds."

_log = logging.getLogger(__name__)


def decode_here(data: bytes, target: Target) -> tuple[Pixels, ImageProperties]:
    """The encoder's input, uint8 [height, width, 3], and what the file holds, decoded in this process. Raises
    ImageError.
    """
    image, info = decode.decode(data, sufficient_side=target.sufficient_side, brief=target.brief)
    return preprocessing.prepare(image, target), info


class DecodePool:
    """`size` processes that decode a photo each; threads may share it. Open it with `with`.

    A photo gets `decode_seconds` of processor time, less where only brief work is wanted; it is given up after
    `deadline_seconds` in any case. `max_bytes`: the largest file that is sent; `program`: the module that they run.
    """

    def __init__(
        self,
        size: int,
        limits: ImageLimits,
        *,
        decode_seconds: float,
        deadline_seconds: float,
        max_bytes: int,
        program: str = "photocaption.image.worker",
    ) -> None:
        memory = BYTES_A_PIXEL * limits.max_held_pixels + max_bytes + _BESIDE_PIXELS
        self._others = size - 1
        self._limits = DecodeLimits(limits, decode_seconds, memory)
        self._deadline_seconds = deadline_seconds
        self._program = program
        self._workers: set[_Worker] = set()
        self._starting: set[_Worker] = set()  # by threads that restart one
        self._free: queue.SimpleQueue[_Worker | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._replaced = RepeatedWarning(_log)
        self._failed = RepeatedWarning(_log)

    def __enter__(self) -> Self:
        self._fill_slot()
        return self

    def __exit__(self, *exception: object) -> None:
        self._closing.set()
        self._free.put(None)
        for worker in [*self._workers, *self._starting]:
            worker.kill()

    @property
    def available(self) -> bool:
        """Whether there is a process that decodes, or is starting."""
        return bool(self._workers)

    @property
    def process_ids(self) -> list[int]:
        """Ids of the current processes."""
        return sorted(worker.process_id for worker in list(self._workers))

    def decode(self, data: bytes, target: Target) -> tuple[Pixels, ImageProperties]:
        """As `decode_here`. Raises ImageError, LongDecodingError also where the work is not as brief as it looked;
        DeadlineExceededError; ImageDecoderError.
        """
        deadline = time.monotonic() + self._deadline_seconds
        try:
            return self._decode_once(data, target, deadline)
        except _KilledError:  # perhaps from outside, for no fault of the photo
            return self._decode_again(data, target, deadline)

    def _decode_again(self, data: bytes, target: Target, deadline: float) -> tuple[Pixels, ImageProperties]:
        try:
            return self._decode_once(data, target, deadline)
        except _KilledError as error:
            if error.from_outside:
                raise ImageDecoderError("The photo could not be decoded just now. Please try again.") from error
            raise UndecodableImageError("The photo cannot be decoded.") from error

    def _decode_once(self, data: bytes, target: Target, deadline: float) -> tuple[Pixels, ImageProperties]:
        worker = self._take(deadline)
        try:
            return worker.decode(data, target, deadline)
        finally:
            if worker.usable:
                self._free.put(worker)
            else:
                self._replace(worker)
            self._start_others()

    def _take(self, deadline: float) -> "_Worker":
        """A running process. None in the queue means that the pool is closed, and is put back for the other threads."""
        while True:
            try:
                worker = self._free.get(timeout=max(0.001, deadline - time.monotonic()))
            except queue.Empty:
                raise (
                    DeadlineExceededError(_TIMED_OUT) if self.available else ImageDecoderError(NONE_DECODES)
                ) from None
            if worker is None:
                self._free.put(None)
                raise ImageDecoderError(NONE_DECODES)
            if worker.alive:
                return worker
            self._replace(worker)

    def _start_others(self) -> None:
        """Start the other processes, after the first photo: while the service starts, the processor loads the model.

        Until then there is one process, so that only the thread that holds it gets here.
        """
        others = self._others
        self._others = 0
        for _ in range(others):
            self._fill_slot()

    def _replace(self, worker: "_Worker") -> None:
        self._workers.discard(worker)
        worker.kill()
        if not self._closing.is_set():
            self._replaced.warn(f"a process that decodes was replaced: {worker.end}")
            self._fill_slot(tested=worker.ready)

    def _fill_slot(self, *, tested: bool = True) -> None:
        """Start a process in a slot; where that fails, or the last one never got ready, a thread tries again."""
        try:
            if not tested:
                raise ImageDecoderError(NONE_DECODES)
            self._add(_Worker(self._program, self._limits))
        except (OSError, ImageDecoderError) as error:
            self._failed.warn(f"a process that decodes cannot be started: {error}")
            threading.Thread(target=self._restart_worker, name="restart", daemon=True).start()

    def _restart_worker(self) -> None:
        while not self._closing.wait(_RESTART_SECONDS):
            try:
                worker = _Worker(self._program, self._limits)
            except OSError as error:
                self._failed.warn(f"a process that decodes cannot be started: {error}")
                continue
            self._starting.add(worker)
            ready = worker.wait_until_ready(time.monotonic() + _STARTING_SECONDS)
            self._starting.discard(worker)
            if ready:
                self._add(worker)
                return
            worker.kill()
            self._failed.warn(f"a process that decodes cannot be started: {worker.end}")

    def _add(self, worker: "_Worker") -> None:
        self._workers.add(worker)
        self._free.put(worker)
        if self._closing.is_set():
            worker.kill()


class _KilledError(Exception):
    """The process ended, for no fault of the photo that it had; `from_outside`: somebody killed it."""

    def __init__(self, end: str, *, from_outside: bool) -> None:
        super().__init__(end)
        self.from_outside = from_outside


class _Worker:
    """A process, and this end of its socket."""

    def __init__(self, program: str, limits: DecodeLimits) -> None:
        self._socket, theirs = socket.socketpair()
        for end in (self._socket, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BYTES)
        with theirs, contextlib.ExitStack() as otherwise:
            otherwise.callback(self._socket.close)
            self._process = _start(program, theirs, limits)
            otherwise.pop_all()
        self.ready = False
        self.usable = True

    @property
    def process_id(self) -> int:
        """The operating system's number of the process."""
        return self._process.pid

    def wait_until_ready(self, deadline: float) -> bool:
        """Whether it says, before `deadline` on the monotonic clock, that it can decode; afterwards it is `ready`."""
        with contextlib.suppress(OSError):
            self._await_ready(deadline)
        return self.ready

    def decode(self, data: bytes, target: Target, deadline: float) -> tuple[Pixels, ImageProperties]:
        """Have a photo decoded before `deadline` on the monotonic clock; afterwards it may no longer be `usable`."""
        self.usable = False
        fields, pixels = self._exchange(data, target, deadline)
        self.usable = True
        if "error" in fields:
            raise _read_error(fields)
        return np.frombuffer(pixels, np.uint8).reshape(target.height, target.width, 3), ImageProperties(**fields)

    @property
    def alive(self) -> bool:
        """Whether the process is running."""
        return self._process.poll() is None

    @property
    def end(self) -> str:
        """How the process ended: a signal's name or an exit code."""
        code = self._process.returncode or 0
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"

    def kill(self) -> None:
        """Kill the process and close the socket, which ends the wait for an answer."""
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _exchange(self, data: bytes, target: Target, deadline: float) -> tuple[dict[str, Any], bytes]:
        try:
            answer = self._ask(data, target, deadline)
        except TimeoutError:
            raise DeadlineExceededError(_TIMED_OUT) from None
        except OSError:
            answer = None
        if answer is None:
            raise self._explain_end(target)
        return answer

    def _ask(self, data: bytes, target: Target, deadline: float) -> tuple[dict[str, Any], bytes] | None:
        self._await_ready(deadline)
        if not self.ready:
            return None
        self._set_timeout(deadline)
        send(self._socket, asdict(target), data)
        self._set_timeout(deadline)
        return receive(self._socket)

    def _await_ready(self, deadline: float) -> None:
        if not self.ready:
            self._set_timeout(deadline)
            self.ready = receive(self._socket) is not None

    def _set_timeout(self, deadline: float) -> None:
        self._socket.settimeout(max(0.001, deadline - time.monotonic()))

    def _explain_end(self, target: Target) -> Exception:
        """The error for a process that has ended, or is ending, with a photo for `target`."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_ENDING_SECONDS)
        number = -(self._process.returncode or 0)
        if not self.ready and number <= 0:
            return ImageDecoderError(NONE_DECODES)
        if number == TOO_SLOW_SIGNAL:
            kind = LongDecodingError if target.brief else UndecodableImageError
            return kind("The photo takes too long to decode.")
        if number in _CRASHES:
            return UndecodableImageError("The photo is damaged: its decoder could not cope with it.")
        return _KilledError(self.end, from_outside=number == signal.SIGKILL)


def _start(program: str, theirs: socket.socket, limits: DecodeLimits) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  # our own program
        [sys.executable, "-m", program, str(theirs.fileno()), limits.dump()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=_environment(),
        pass_fds=[theirs.fileno()],
    )


def _environment() -> dict[str, str]:
    """The environment without settings: they may contain secrets, and the processes decode untrusted files."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("CAPTION_")}
    return own | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"} | _KEEP_FREED | _ONE_ARENA


def _read_error(fields: dict[str, Any]) -> ImageError:
    kinds = {kind.__name__: kind for kind in (errors.UnsupportedImageError, UndecodableImageError, LongDecodingError)}
    return kinds.get(fields["error"], errors.ImageTooLargeError)(fields["message"])
