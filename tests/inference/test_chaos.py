"""The fast part of every chaos scenario; `python -m chaos` runs them in full."""

import random
from pathlib import Path

import pytest
from chaos import exchanges, images, overload, restarts, slow_clients

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

SEED = 20_261


async def test_hostile_images(tiny_bundle: Path) -> None:
    figures = await images.run(tiny_bundle, 1000, random.Random(SEED), images.find_corpus())

    assert figures.broken == [], figures


async def test_files_of_an_outside_corpus_are_sent_too(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "odd.bin").write_bytes(b"no photo")
    monkeypatch.setenv(images.CORPUS_VARIABLE, str(tmp_path))

    without, with_corpus = [
        await images.run(tiny_bundle, 24, random.Random(SEED), folder) for folder in (None, images.find_corpus())
    ]

    assert with_corpus.values["photos"] == int(str(without.values["photos"])) + 1


async def test_hostile_exchanges(tiny_bundle: Path) -> None:
    figures = await exchanges.run(tiny_bundle, 500, random.Random(SEED))

    assert figures.broken == [], figures


async def test_slow_clients(tiny_bundle: Path) -> None:
    figures = await slow_clients.run(tiny_bundle, 200, random.Random(SEED), honest_seconds=5)  # beside other tests

    assert figures.broken == [], figures


@pytest.mark.alone
async def test_overload(tiny_bundle: Path) -> None:
    figures = await overload.run(tiny_bundle, 4.0, least_goodput=0.5)  # the machine may be busy with other tests

    assert figures.broken == [], figures


async def test_restarts(tiny_bundle: Path) -> None:
    figures = await restarts.run(tiny_bundle, 4)

    assert figures.broken == [], figures
