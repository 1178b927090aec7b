"""What the tests of the inference package share: the tiny bundle, and a captioner on it."""

from pathlib import Path

import pytest
from hypothesis import settings
from support.tiny_bundle import write_tiny_bundle

from photocaption.captioner import Captioner

# How long an example takes says more about the machine than about the code.
settings.register_profile("inference", deadline=None)
settings.load_profile("inference")


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle on disk, shared: for reading only."""
    return write_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture(scope="session")
def captioner(tiny_bundle: Path) -> Captioner:
    """A captioner on the tiny bundle."""
    return Captioner.load(tiny_bundle, threads=1)
