"""These tests run in an environment of their own, which has Ray; elsewhere there is nothing to collect here."""

from importlib.util import find_spec
from pathlib import Path

import pytest

collect_ignore_glob = [] if find_spec("ray") else ["test_*.py"]


@pytest.fixture
def without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are done in this process."""
    from support.batch_here import do_here, open_here

    monkeypatch.setattr("batch.pipeline.open_ray", open_here)
    monkeypatch.setattr("batch.pipeline.do_units", do_here)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty coloured squares in two folders, a file that is no photo by its name, and every trap that there is."""
    from support.hostile_images import make_traps
    from support.photos import photo_bytes

    folder = tmp_path_factory.mktemp("photos")
    (folder / "below").mkdir()
    for number in range(60):
        place = folder / "below" if number % 2 else folder
        (place / f"{number:03}.png").write_bytes(photo_bytes(("red", "green", "blue")[number % 3]))
    for number, trap in enumerate(make_traps().values()):
        (folder / f"trap-{number:02}.jpg").write_bytes(trap)
    (folder / "notes.txt").write_text("not a photo")
    return folder
