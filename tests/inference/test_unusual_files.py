"""Unusual valid files are read correctly. `UNUSUAL_FILES=20000` sets how many of each format are tried."""

import os

import numpy as np
import pytest
from support.unusual_files import KINDS, make_unusual_file

from photocaption.image.decode import decode

COUNT = int(os.environ.get("UNUSUAL_FILES", "200"))


@pytest.mark.timeout(0)
@pytest.mark.parametrize("kind", KINDS)
def test_unusual_files_are_read_as_they_are_seen(kind: str) -> None:
    for number in range(COUNT):
        file = make_unusual_file(kind, number)

        image, info = decode(file.data)

        pixels = np.asarray(image, np.int16)
        assert info.format == kind
        assert pixels.shape == file.pixels.shape, number
        assert np.abs(pixels - file.pixels).max() <= file.tolerance, number
