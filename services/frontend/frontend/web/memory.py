"""Has the C library give back what large uploads and pages took, where it is one that can be asked to: glibc."""

import ctypes

_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of <malloc.h>
_ARENA_MAX = -8  # M_ARENA_MAX
_ARENAS = 2
_LARGE_BYTES = 2**20


def limit_memory() -> None:
    """Have all threads allocate from the same few regions, and give large blocks back when they are freed.

    By default every thread keeps what was the most it ever held. Call it before there are threads.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, _ARENAS)
        mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
