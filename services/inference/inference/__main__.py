"""`python -m inference`: the HTTP service as a process.

Exit codes: 0 after a signal, with accepted work finished; 1 when the bundle or the address cannot be used; 2 when a
setting is wrong. Each of the latter two says why in one line.
"""

import logging
import sys
from functools import partial

from inference.api import create_app
from inference.captioner import Captioner
from inference.errors import CaptionError
from inference.image import ImageLimits
from inference.logs import configure_logging
from inference.metrics import Metrics
from inference.server import Server, open_socket
from inference.service import CaptionService
from inference.settings import Settings, SettingsError, read_settings

_CANNOT_SERVE = 1
_WRONG_SETTINGS = 2

_log = logging.getLogger("inference")


def main() -> int:
    """Serve until a signal comes; returns the exit code."""
    try:
        settings = read_settings()
    except SettingsError as error:
        return _give_up(str(error), _WRONG_SETTINGS)
    configure_logging(settings.log_level)
    try:
        return _serve(settings)
    except OSError as error:
        return _give_up(f"cannot listen on {settings.host} port {settings.port}: {error.strerror}", _CANNOT_SERVE)


def _serve(settings: Settings) -> int:
    load = partial(
        Captioner.load,
        settings.bundle,
        runtime=settings.runtime,
        threads=settings.threads,
        limits=ImageLimits(max_pixels=settings.max_pixels, max_side=settings.max_side),
    )
    service = CaptionService(settings, Metrics(), load)
    with open_socket(settings.host, settings.port) as listener:
        host, port = listener.getsockname()[:2]
        _log.info("listening", extra={"host": host, "port": port})
        Server(create_app(service), service).run(sockets=[listener])
    return 0 if service.failure is None else _give_up(_explain(service.failure), _CANNOT_SERVE)


def _explain(failure: Exception) -> str:
    if isinstance(failure, CaptionError):
        return str(failure)
    return f"the model could not be started: {type(failure).__name__}: {failure}"


def _give_up(reason: str, code: int) -> int:
    print("inference:", " ".join(reason.split()), file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
