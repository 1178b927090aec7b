"""Types of the fixtures that serve."""

from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import httpx


class Serve(Protocol):
    """Starts the service with these settings; gives a client for it."""

    def __call__(self, *, start: bool = True, **settings: Any) -> AbstractAsyncContextManager[httpx.AsyncClient]: ...  # noqa: ANN401
