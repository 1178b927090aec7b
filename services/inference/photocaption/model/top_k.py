"""Finds the few largest of many numbers."""

import numpy as np
import numpy.typing as npt

from photocaption.model.runtime import Floats

_LEAST = np.finfo(np.float32).min
_GROUP = 32


def argsort_top_k(values: Floats, count: int) -> npt.NDArray[np.intp]:
    """Where each row [R, N] has its `count` largest values, largest first: int [R, count]; of equal ones the first.

    `count` is at most N, and nothing is NaN. A row is dealt out to groups, each of which has a largest value. The
    `count`-th of those is a bar that all values sought for reach, and few others: they are soon sorted, in a fraction
    of the time that `np.argpartition` takes for everything.
    """
    columns = values.shape[1]
    groups = max(count, columns // _GROUP)
    dealt = values[:, : columns // groups * groups].reshape(len(values), -1, groups)
    largest = dealt.max(axis=1)
    largest.partition(groups - count, axis=1)
    reaching = values >= np.fmax(largest[:, -count], _LEAST)[:, None]
    reaching[:, :count] = True  # so that there are enough where almost everything is forbidden, which is -inf
    places = np.flatnonzero(reaching)
    rows = places // columns
    order = np.lexsort((-values.ravel()[places], rows))
    first = np.searchsorted(rows, np.arange(len(values)))
    best: npt.NDArray[np.intp] = places[order[first[:, None] + np.arange(count)]] % columns
    return best
