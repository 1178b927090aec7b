"""Settings of glibc's allocator, so that it keeps less unused memory; without glibc they do nothing."""

import ctypes

_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of <malloc.h>
_ARENA_MAX = -8  # M_ARENA_MAX
_ARENAS = 2
_LARGE_BYTES = 2**20


def limit_memory() -> None:
    """Limit the number of arenas, and return large blocks to the system when they are freed.

    By default each thread has an arena that keeps its maximum size. To be called before there are threads.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, _ARENAS)
        mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
