"""Waits for a condition, with a time limit for loaded machines."""

import time
from collections.abc import Callable

PATIENCE_SECONDS = 240.0  # of a machine that has much else to do


def wait_for(
    condition: Callable[[], bool],
    explain: Callable[[], str] = lambda: "what was waited for did not happen",
    seconds: float = PATIENCE_SECONDS,
) -> float:
    """Wait until `condition` holds; returns the seconds it took. Fails with what `explain` says."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, explain()
        time.sleep(0.01)
    return time.monotonic() - start
