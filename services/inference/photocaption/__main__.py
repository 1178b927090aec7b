"""`python -m photocaption`: the HTTP service as a process.

Exit codes: 0 after a signal, with accepted work finished; 1 when the bundle or the address cannot be used, or work had
to be left undone; 2 when a setting or an argument is wrong. What is not 0 says why in one line.
"""

# ruff: noqa: E402
import signal

signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the server handles it; imports take a while

import logging
import os
import sys
from functools import partial
from typing import NoReturn

from photocaption.captioner import Captioner
from photocaption.errors import CaptionError
from photocaption.image.decode import ImageLimits
from photocaption.image.pool import DecodePool
from photocaption.server.server import AddressError, IncompleteError, serve
from photocaption.serving.logs import configure_logging
from photocaption.serving.memory import limit_arenas
from photocaption.serving.rehearsal import rehearse
from photocaption.serving.service import CaptionService
from photocaption.serving.settings import Settings, SettingsError, read_settings
from photocaption.serving.tracing import open_tracing

_FAILED = 1
_WRONG_USE = 2
_STANDARD_ERROR = 2


def main() -> int:
    """Serve until a signal comes; returns the exit code."""
    _fill_standard_streams()
    limit_arenas()
    try:
        settings = read_settings()
    except SettingsError as error:
        return _give_up(str(error), _WRONG_USE)
    configure_logging(settings.log_level)
    try:
        with open_decode_pool(settings) as decode_pool:
            load = partial(
                Captioner.load,
                settings.bundle,
                runtime=settings.runtime,
                engine=settings.engine,
                threads=settings.threads,
                workers=settings.workers,
                decode=decode_pool.decode,
            )
            service = CaptionService(
                settings,
                load,
                open_tracing(os.environ),
                can_decode=lambda: decode_pool.available,
                rehearse=partial(rehearse, settings),
            )
            serve(service)
    except (CaptionError, AddressError, IncompleteError) as error:
        return _give_up(str(error), _FAILED)
    except Exception as error:  # an operator gets a line to act on; the log at level debug has the rest
        logging.getLogger(__name__).debug("cannot start", exc_info=True)
        return _give_up(f"the model cannot be started: {type(error).__name__}: {error}", _FAILED)
    return 0


def end(code: int) -> NoReturn:
    """End the process now, even if a thread is still working."""
    logging.shutdown()
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.flush()
    os._exit(code)


def open_decode_pool(settings: Settings) -> DecodePool:
    """The processes that decode, one for each photo that is decoded at the same time."""
    limits = ImageLimits(
        max_pixels=settings.max_pixels, max_held_pixels=settings.max_held_pixels, max_side=settings.max_side
    )
    return DecodePool(
        settings.decode_threads,
        limits,
        decode_seconds=settings.decode_seconds,
        deadline_seconds=settings.deadline_seconds,
        max_bytes=settings.max_body_bytes,
    )


def _fill_standard_streams() -> None:
    """Give the numbers 0 to 2 to nothing, where they are closed: libraries in C write messages to them, and what else
    is opened, connections for one, would get them.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= _STANDARD_ERROR:
        os.set_inheritable(number, True)
    os.close(number)


def _give_up(reason: str, code: int) -> int:
    print("photocaption:", " ".join(reason.split()), file=sys.stderr)
    return code


if __name__ == "__main__":
    if len(sys.argv) > 1:
        end(_give_up("takes no arguments: docs/operations.md lists its settings, all of the environment", _WRONG_USE))
    end(main())
