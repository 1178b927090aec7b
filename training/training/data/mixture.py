"""The training photos of several datasets, mixed so that each has its share of every batch."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_ROUNDING = 1e-9  # 0.29 of 100 photos are 29


class Mixture:
    """The training photos of several datasets, drawn for an epoch so that each has its share of every batch."""

    def __init__(
        self, counts: Sequence[int], shares: Sequence[float | None] | None, batch: int, least_batches: int = 1
    ) -> None:
        """`counts`: photos of each dataset, which follow one another; `shares` as in `Source`, where those of
        datasets without photos are divided among the others; `batch`: photos of a batch; `least_batches`: of an
        epoch, however few photos there are.
        """
        self.size = min(batch, sum(counts))
        self.batches = max(sum(counts) // self.size, least_batches)
        self._begins = np.concatenate([[0], np.cumsum(counts)[:-1]])
        given = np.array(counts if shares is None or None in shares else shares, float) * (np.array(counts) > 0)
        self._counts, self._shares = counts, given / given.sum()

    def draw(self, random: np.random.Generator) -> npt.NDArray[np.intp]:
        """Places [batches · size] of an epoch's photos in random order, each photo of a dataset equally often."""
        total = self.batches * self.size
        wanted = np.floor(self._shares * total + _ROUNDING).astype(int)
        wanted[np.argmax(self._shares)] += total - wanted.sum()
        parts = [
            begin + np.concatenate([random.permutation(count) for _ in range(-(-want // count))])[:want]
            for begin, count, want in zip(self._begins, self._counts, wanted, strict=True)
            if want
        ]
        return random.permutation(np.concatenate(parts))
