"""`python -m frontend`: serve the page. Exits with 2 when a setting or an argument is wrong or the address is taken."""

import logging
import os
import sys

from frontend.app import create_app
from frontend.settings import SettingsError, read_settings
from frontend.web.memory import limit_memory
from frontend.web.request_log import JsonFormatter
from frontend.web.server import Server, stop_on_signals
from frontend.web.tracing import open_provider

_USAGE_ERROR = 2


def main() -> int:
    """Read the settings, serve until told to stop; the exit status."""
    limit_memory()
    _log_json()
    try:
        settings = read_settings()
        server = Server(create_app(settings, tracer_provider=open_provider(os.environ)), settings)
    except (SettingsError, OSError) as error:
        sys.stderr.write(f"frontend: {error}\n")
        return _USAGE_ERROR
    stop_on_signals(server)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    logging.getLogger("frontend").info("listening on http://%s:%d", host, server.port)
    server.run()
    return 0


def _log_json() -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.stderr.write(
            "frontend: takes no arguments: docs/operations.md lists its settings, all of the environment\n"
        )
        sys.exit(_USAGE_ERROR)
    sys.exit(main())
