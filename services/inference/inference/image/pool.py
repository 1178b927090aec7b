"""Decodes photos where a runaway can be stopped: in processes of their own, killed and replaced when need be.

    service, a thread for each ──socket──▶ decode_worker ──socket──▶ pixels

A photo that makes its decoder run on, allocate without end or crash costs its sender an error and the service one small
process. Copying a photo there and its pixels back takes a fraction of a millisecond.
"""

import contextlib
import logging
import os
import queue
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from inference import errors
from inference.caption import PictureInfo
from inference.errors import DeadlineExceededError, ImageError, UndecodableImageError
from inference.image import decode, preprocessing
from inference.image.decode import ImageLimits
from inference.image.ipc import receive, send
from inference.image.worker import TOO_SLOW_SIGNAL, Allowance, Target

Pixels = npt.NDArray[np.uint8]
Decode = Callable[[bytes, Target], tuple[Pixels, PictureInfo]]

# What the kernel does to a program that trips over its own memory. Any other end may come from outside: the system was
# short of memory, or somebody killed it.
_CRASHES = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE, signal.SIGSYS})
_BYTES_A_PIXEL = 9  # see `ImageLimits`
_BESIDE_PIXELS = 128 * 2**20  # of which NumPy takes 82, where a picture needs it
_SOCKET_BYTES = 2**20  # so that most photos, and all pixels, are handed over in one go
_DYING_SECONDS = 5.0
# For glibc. It would give the buffers of each photo back to the system and get them anew, page by page, for the next:
# a fifth of the time that a photo of 1 megapixel takes. Larger buffers than a shrunk JPEG's still go back.
_KEEP_FREED = {"MALLOC_MMAP_THRESHOLD_": str(4 * 2**20), "MALLOC_TRIM_THRESHOLD_": str(16 * 2**20)}

_log = logging.getLogger(__name__)


def decode_here(data: bytes, target: Target, limits: ImageLimits) -> tuple[Pixels, PictureInfo]:
    """The encoder's input, uint8 [height, width, 3], and what the file holds, decoded in this process. Raises
    ImageError.
    """
    picture, info = decode.decode(data, limits, sufficient_side=target.sufficient_side)
    return preprocessing.prepare(picture, target), info


class DecoderError(Exception):
    """The processes that decode cannot be started."""


class DecodePool:
    """`size` processes that decode a photo each; threads may share it. Open it with `with`.

    A photo gets `photo_seconds` of processor time; it is given up after `deadline_seconds` in any case. `max_bytes`:
    the largest file that is sent; `program`: the module that they run.
    """

    def __init__(
        self,
        size: int,
        limits: ImageLimits,
        *,
        photo_seconds: float,
        deadline_seconds: float,
        max_bytes: int,
        program: str = "inference.image.worker",
    ) -> None:
        memory = _BYTES_A_PIXEL * limits.max_held_pixels + max_bytes + _BESIDE_PIXELS
        self._others = size - 1
        self._allowance = Allowance(limits, photo_seconds, memory)
        self._deadline_seconds = deadline_seconds
        self._program = program
        self._workers: set[_Worker] = set()
        self._free: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._closed = False

    def __enter__(self) -> Self:
        self._free.put(self._start_worker())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closed = True
        for worker in list(self._workers):
            worker.kill()

    @property
    def process_ids(self) -> list[int]:
        """Of the processes that are there now."""
        return sorted(worker.process_id for worker in self._workers)

    def decode(self, data: bytes, target: Target) -> tuple[Pixels, PictureInfo]:
        """As `decode_here`. Raises ImageError; DeadlineExceededError; DecoderError."""
        deadline = time.monotonic() + self._deadline_seconds
        worker = self._free.get()
        try:
            with contextlib.suppress(_KilledError):  # from outside, perhaps: the photo has nothing to do with it
                return worker.decode(data, target, deadline)
            worker = self._replace(worker)
            return worker.decode(data, target, deadline)
        except _KilledError as error:
            raise UndecodableImageError("The picture cannot be decoded.") from error
        finally:
            self._start_others()
            self._free.put(worker if worker.usable else self._replace(worker))

    def _start_others(self) -> None:
        """Have all processes, from the first photo on: a service that starts needs its processor for other things.

        Until then there is one, and whoever has it is alone here.
        """
        others, self._others = self._others, 0
        for _ in range(others):
            self._free.put(self._start_worker())

    def _replace(self, worker: "_Worker") -> "_Worker":
        worker.kill()
        self._workers.discard(worker)
        if self._closed:
            return worker
        _log.warning("a process that decodes was replaced: %s", worker.end)
        return self._start_worker()

    def _start_worker(self) -> "_Worker":
        worker = _Worker(self._program, self._allowance)
        self._workers.add(worker)
        return worker


class _KilledError(Exception):
    """The process ended, for no fault of the photo that it had."""


class _Worker:
    """One process, and our end of its socket."""

    def __init__(self, program: str, allowance: Allowance) -> None:
        self._socket, theirs = socket.socketpair()
        for end in (self._socket, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BYTES)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  # our own program
                [sys.executable, "-m", program, str(theirs.fileno()), allowance.dump()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=_environment(),
                pass_fds=[theirs.fileno()],
            )
        self._ready = False
        self.usable = True

    @property
    def process_id(self) -> int:
        """As the system counts."""
        return self._process.pid

    def decode(self, data: bytes, target: Target, deadline: float) -> tuple[Pixels, PictureInfo]:
        """Have a photo decoded before `deadline` on the monotonic clock; afterwards it may no longer be `usable`."""
        self.usable = False
        fields, pixels = self._exchange(data, target, deadline)
        self.usable = True
        if "error" in fields:
            raise _read_error(fields)
        return np.frombuffer(pixels, np.uint8).reshape(target.height, target.width, 3), PictureInfo(**fields)

    @property
    def end(self) -> str:
        """How it ended."""
        code = self._process.returncode or 0
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"

    def kill(self) -> None:
        """End it, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes whoever waits for an answer
        self._socket.close()

    def _exchange(self, data: bytes, target: Target, deadline: float) -> tuple[dict[str, Any], bytes]:
        try:
            answer = self._ask(data, target, deadline)
        except TimeoutError:
            raise DeadlineExceededError("The photo was not decoded in time. Please try again a little later.") from None
        except OSError:
            answer = None
        if answer is None:
            raise self._explain_end()
        return answer

    def _ask(self, data: bytes, target: Target, deadline: float) -> tuple[dict[str, Any], bytes] | None:
        if not self._ready:
            self._set_timeout(deadline)
            self._ready = receive(self._socket) is not None
        if not self._ready:
            return None
        self._set_timeout(deadline)
        send(self._socket, asdict(target), data)
        self._set_timeout(deadline)
        return receive(self._socket)

    def _set_timeout(self, deadline: float) -> None:
        self._socket.settimeout(max(0.001, deadline - time.monotonic()))

    def _explain_end(self) -> Exception:
        """What to tell of a process that has ended, or is about to."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_DYING_SECONDS)
        number = -(self._process.returncode or 0)
        if not self._ready and number <= 0:
            return DecoderError("a process that decodes photos cannot be started")
        if number == TOO_SLOW_SIGNAL:
            return UndecodableImageError("The picture takes too long to decode.")
        if number in _CRASHES:
            return UndecodableImageError("The picture is damaged: its decoder could not cope with it.")
        return _KilledError(self.end)


def _environment() -> dict[str, str]:
    """Ours, without settings, which may hold what should not be known where strangers' files are decoded."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("CAPTION_")}
    return ours | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"} | _KEEP_FREED


def _read_error(fields: dict[str, Any]) -> ImageError:
    kinds = {kind.__name__: kind for kind in (errors.UnsupportedImageError, errors.UndecodableImageError)}
    return kinds.get(fields["error"], errors.ImageTooLargeError)(fields["message"])
