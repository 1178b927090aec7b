"""One call for all who want its result at the same time, so that a slow answer holds one thread."""

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

from frontend.inference.errors import BusyError, InferenceError

_FIRST_SECONDS = 0.5

Value = TypeVar("Value")


class SingleFlight(Generic[Value]):
    """A call that one thread at a time makes; others get the last result, or error, without waiting."""

    def __init__(self) -> None:
        self._asking = Lock()
        self._outcome: Value | InferenceError | None = None

    def get(self, ask: Callable[[], Value]) -> Value:
        """What `ask` gives, or gave. Raises `InferenceError`, `BusyError` where nothing ever came of it yet."""
        if not self._asking.acquire(timeout=0 if self._outcome is not None else _FIRST_SECONDS):
            return self._repeat()
        try:
            self._outcome = ask()
        except InferenceError as error:
            self._outcome = error
        finally:
            self._asking.release()
        return self._repeat()

    def _repeat(self) -> Value:
        outcome = self._outcome
        if outcome is None:
            raise BusyError
        if isinstance(outcome, InferenceError):
            raise outcome.with_traceback(None)
        return outcome
