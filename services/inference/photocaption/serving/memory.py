"""Has the C library hold less memory that nobody uses, where it is one that can be asked to: glibc."""

import ctypes

_ARENA_MAX = -8  # M_ARENA_MAX of <malloc.h>
_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD
_TRIM_THRESHOLD = -1
_ARENAS = 2
_LARGE_BYTES = 64 * 2**10
_KEPT_BYTES = 32 * 2**20  # the most that glibc takes
_KEPT_TOP_BYTES = 64 * 2**20


def limit_arenas() -> None:
    """Have all threads allocate from the same few regions, and what is large from the system; call it before there are
    threads.

    By default each gets a region of its own, which keeps what was the most it ever held; and photos that were freed
    leave holes between what was allocated meanwhile.
    """
    _call("mallopt", _ARENA_MAX, _ARENAS)
    _call("mallopt", _MMAP_THRESHOLD, _LARGE_BYTES)


def keep_freed() -> None:
    """Have buffers of photos and features used again, after `limit_arenas`, where one batch follows the other.

    It had each come from the system anew, page by page: 1.5 % of the time of photos of 1 megapixel in batches of 16.
    """
    _call("mallopt", _MMAP_THRESHOLD, _KEPT_BYTES)
    _call("mallopt", _TRIM_THRESHOLD, _KEPT_TOP_BYTES)


def release_freed() -> None:
    """Give back to the system what was freed.

    Reading models leaves tens of megabytes between what stays of them.
    """
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    function = getattr(ctypes.CDLL(None), name, None)
    if function is not None:
        function(*arguments)
