"""Computes the next item in a thread while the current one is used, so that reading and decoding overlap with the
model.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def prefetch(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """`function` of each item, in order, one computed ahead of its use; its errors come out where its result would."""
    with ThreadPoolExecutor(1) as pool:
        ahead = [pool.submit(function, item) for item in items[:1]]
        for following in items[1:]:
            current = ahead.pop()
            ahead.append(pool.submit(function, following))
            yield current.result()
        for last in ahead:
            yield last.result()
