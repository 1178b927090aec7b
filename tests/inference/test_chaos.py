"""The fast part of every chaos scenario; `python -m chaos` runs them in full."""

import random
from pathlib import Path

import pytest
from chaos import exchanges, images, overload, restarts, slow_clients
from support.tiny_bundle import write_tiny_bundle

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

SEED = 20_261


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_hostile_images(bundle: Path) -> None:
    figures = await images.run(bundle, 1000, random.Random(SEED), images.find_corpus())

    assert figures.broken == [], figures


async def test_files_of_an_outside_corpus_are_sent_too(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "odd.bin").write_bytes(b"no photo")
    monkeypatch.setenv(images.CORPUS_VARIABLE, str(tmp_path))

    without, with_corpus = [
        await images.run(bundle, 24, random.Random(SEED), folder) for folder in (None, images.find_corpus())
    ]

    assert with_corpus.values["photos"] == int(str(without.values["photos"])) + 1


async def test_hostile_exchanges(bundle: Path) -> None:
    figures = await exchanges.run(bundle, 500, random.Random(SEED))

    assert figures.broken == [], figures


async def test_slow_clients(bundle: Path) -> None:
    figures = await slow_clients.run(bundle, 200, random.Random(SEED), honest_seconds=5)  # beside other tests

    assert figures.broken == [], figures


@pytest.mark.alone
async def test_overload(bundle: Path) -> None:
    figures = await overload.run(bundle, 4.0, least_goodput=0.5)  # the machine may be busy with other tests

    assert figures.broken == [], figures


async def test_restarts(bundle: Path) -> None:
    figures = await restarts.run(bundle, 4)

    assert figures.broken == [], figures
