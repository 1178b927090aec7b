"""What the tests of the inference package share: a captioner on the tiny bundle."""

from pathlib import Path

import pytest
from hypothesis import settings

from photocaption.captioner import Captioner

# How long an example takes says more about the machine than about the code.
settings.register_profile("inference", deadline=None)
settings.load_profile("inference")


@pytest.fixture(scope="session")
def captioner(tiny_bundle: Path) -> Captioner:
    """A captioner on the tiny bundle."""
    return Captioner.load(tiny_bundle, threads=1)
