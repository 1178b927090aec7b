"""Finds the few largest of many numbers."""

import numpy as np
import numpy.typing as npt

from photocaption.model.runtime import Floats

_MIN_VALUE = np.finfo(np.float32).min


def argsort_top_k(values: Floats, count: int) -> npt.NDArray[np.intp]:
    """Where each row [R, N] has its `count` largest values, largest first: int [R, count]; of equal ones the first.

    `count` is at most N, and nothing is NaN. Of all values only those are sorted that are as large as the `count`-th.
    """
    columns = values.shape[1]
    bars = np.partition(values, -count, axis=1)[:, -count]
    reaching = values >= np.fmax(bars, _MIN_VALUE)[:, None]
    reaching[:, :count] = True  # so that there are enough where almost everything is forbidden, which is -inf
    places = np.flatnonzero(reaching)
    rows = places // columns
    order = np.lexsort((-values.ravel()[places], rows))
    first = np.searchsorted(rows, np.arange(len(values)))
    best: npt.NDArray[np.intp] = places[order[first[:, None] + np.arange(count)]] % columns
    return best
