"""Types of the fixtures that serve."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

from support.service_process import ServiceProcess


class Serve(Protocol):
    """Starts the service with these settings; gives a client for it."""

    def __call__(self, *, start: bool = True, **settings: Any) -> AbstractAsyncContextManager[httpx.AsyncClient]: ...  # noqa: ANN401


@dataclass(frozen=True)
class Served:
    """A running service, and a key that it takes; None where everyone may use it."""

    service: ServiceProcess
    key: str | None

    @property
    def url(self) -> str:
        """Where the service answers."""
        return self.service.url
