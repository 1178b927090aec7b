"""Clients that would starve others, at the whole stack; `python -m chaos --compose` has all kinds of them."""

import pytest
from chaos import stack as flooded
from chaos.floods import FLOODS
from support.compose import Stack

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]


@pytest.mark.parametrize("name", ["trailers", "page: large forms"])
async def test_no_container_restarts_and_honest_clients_are_answered(stack: Stack, name: str) -> None:
    figures = await flooded.run(stack, FLOODS[name], 4.0)

    assert figures.broken == [], figures
