"""The few largest of many numbers, against a sort of all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photocaption.model.top_k import argsort_top_k


@given(
    seed=st.integers(0, 10_000),
    rows=st.integers(1, 4),
    columns=st.integers(1, 400),
    count=st.integers(1, 400),
    distinct=st.sampled_from([2, 10, 10_000]),
    forbidden=st.sampled_from([0.0, 0.5, 0.99, 1.0]),
)
def test_the_largest_come_as_a_sort_of_all_gives_them(
    seed: int, rows: int, columns: int, count: int, distinct: int, forbidden: float
) -> None:
    random = np.random.default_rng(seed)
    values = random.integers(-distinct, distinct, (rows, columns)).astype(np.float32)
    values[random.random(values.shape) < forbidden] = -np.inf
    count = min(count, columns)

    assert argsort_top_k(values, count).tolist() == np.argsort(-values, axis=1, kind="stable")[:, :count].tolist()


@pytest.mark.parametrize("forbidden", [[0], [0, 1]])
def test_a_row_of_which_everything_is_forbidden_disturbs_no_other(forbidden: list[int]) -> None:
    values = np.random.default_rng(0).normal(size=(2, 7626)).astype(np.float32)
    values[forbidden] = -np.inf

    assert argsort_top_k(values, 6).tolist() == np.argsort(-values, axis=1, kind="stable")[:, :6].tolist()
