"""Photos that are sound but odd are read, and rightly. `SIBLINGS=20000` tries so many of each kind instead of a few."""

import os

import numpy as np
import pytest
from support.siblings import KINDS, make_sibling

from photocaption.image.decode import decode

COUNT = int(os.environ.get("SIBLINGS", "200"))


@pytest.mark.timeout(0)
@pytest.mark.parametrize("kind", KINDS)
def test_siblings_are_read_as_they_are_seen(kind: str) -> None:
    for number in range(COUNT):
        sibling = make_sibling(kind, number)

        picture, info = decode(sibling.data)

        seen = np.asarray(picture, np.int16)
        assert info.format == kind
        assert seen.shape == sibling.pixels.shape, number
        assert np.abs(seen - sibling.pixels).max() <= sibling.tolerance, number
