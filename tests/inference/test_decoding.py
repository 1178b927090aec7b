"""Decoding in processes of their own: as in this one, but a photo that makes its decoder run away costs nobody else."""

import dataclasses
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from support.photos import photo_bytes
from support.waiting import wait_for

from photocaption.errors import (
    DeadlineExceededError,
    ImageDecoderError,
    ImageTooLargeError,
    LongDecodingError,
    UndecodableImageError,
    UnsupportedImageError,
)
from photocaption.image.decode import ImageLimits, decode
from photocaption.image.pool import DecodePool, decode_here
from photocaption.image.worker import Target

pytestmark = pytest.mark.slow

LIMITS = ImageLimits(max_held_pixels=1_000_000)
TARGET = Target(width=299, height=299, canonical_size=224, sufficient_side=336)
PHOTO = photo_bytes("red", size=(640, 480))


@contextmanager
def open_pool(
    size: int = 1,
    *,
    decode_seconds: float = 0.5,
    deadline_seconds: float = 20,
    program: str = "support.misbehaving_decoder",
) -> Iterator[DecodePool]:
    with DecodePool(
        size, LIMITS, decode_seconds=decode_seconds, deadline_seconds=deadline_seconds, max_bytes=2**20, program=program
    ) as pool:
        yield pool


@contextmanager
def files_allowed(count: int) -> Iterator[None]:
    """This process may open no more than `count` files for a while."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processes find the tests' own modules."""
    tests = str(Path(__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([tests, os.environ.get("PYTHONPATH", "")]))


@pytest.fixture(scope="module")
def pool() -> Iterator[DecodePool]:
    with open_pool(program="photocaption.image.worker") as pool:
        yield pool


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "HEIF", "AVIF", "GIF", "BMP", "TIFF"])
def test_it_decodes_as_this_process_does(pool: DecodePool, format_name: str) -> None:
    photo = photo_bytes("green", format_name, size=(600, 400))

    pixels, info = pool.decode(photo, TARGET)

    expected_pixels, expected_info = decode_here(photo, TARGET)
    np.testing.assert_array_equal(pixels, expected_pixels)
    assert info == expected_info


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"hello", UnsupportedImageError),
        (PHOTO[:100], UndecodableImageError),
        (photo_bytes("red", size=(2000, 1000)), ImageTooLargeError),
    ],
)
def test_errors_are_the_same_too(pool: DecodePool, data: bytes, kind: type[Exception]) -> None:
    before = pool.process_ids

    with pytest.raises(kind) as there:
        pool.decode(data, TARGET)
    with pytest.raises(kind) as here:
        decode(data, LIMITS, sufficient_side=TARGET.sufficient_side)

    assert str(there.value) == str(here.value)
    assert pool.process_ids == before


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"run away", "takes too long to decode"),
        (b"crash", "its decoder could not cope"),
        (b"leave", "cannot be decoded"),
    ],
)
def test_a_decoder_that_runs_away_or_crashes_is_replaced(data: bytes, reason: str) -> None:
    with open_pool() as pool:
        pool.decode(PHOTO, TARGET)
        before = pool.process_ids
        begun = time.monotonic()

        with pytest.raises(UndecodableImageError, match=reason):
            pool.decode(data, TARGET)

        assert time.monotonic() - begun < 18
        assert len(pool.process_ids) == 1
        assert pool.process_ids != before
        assert pool.decode(PHOTO, TARGET)[1].format == "PNG"


def test_brief_work_that_takes_long_is_given_up_sooner() -> None:
    with open_pool(decode_seconds=4, deadline_seconds=60) as pool:
        pool.decode(PHOTO, TARGET)
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime

        with pytest.raises(LongDecodingError):
            pool.decode(b"run away", dataclasses.replace(TARGET, brief=True))

        assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 3
        assert pool.decode(PHOTO, TARGET)[1].format == "PNG"


def test_a_decoder_that_swallows_memory_is_refused_it() -> None:
    with open_pool() as pool, pytest.raises(ImageTooLargeError, match="too much memory"):
        pool.decode(b"swallow memory", TARGET)


def test_the_deadline_covers_decoding() -> None:
    with open_pool(deadline_seconds=2) as pool:
        _decode_at_last(pool)
        begun = time.monotonic()

        with pytest.raises(DeadlineExceededError):
            pool.decode(b"sleep", TARGET)

        assert 1.5 < time.monotonic() - begun < 12


def test_a_process_killed_from_outside_loses_no_photo() -> None:
    with open_pool(2) as pool:
        pool.decode(PHOTO, TARGET)
        for process_id in pool.process_ids:
            os.kill(process_id, signal.SIGKILL)

        assert pool.decode(PHOTO, TARGET)[1].format == "PNG"


def test_a_process_that_is_killed_again_and_again_is_not_the_photo_s_fault() -> None:
    with open_pool(deadline_seconds=60) as pool, ThreadPoolExecutor(1) as threads:
        pool.decode(PHOTO, TARGET)
        busy = threads.submit(pool.decode, b"sleep", TARGET)
        while not busy.done():
            time.sleep(0.3)
            for process_id in pool.process_ids:
                with suppress(ProcessLookupError):
                    os.kill(process_id, signal.SIGKILL)

        assert isinstance(busy.exception(), ImageDecoderError)


@pytest.mark.parametrize("data", [b"run away", b"leave", b"crash", b"sleep"])
def test_a_place_comes_back_though_no_process_can_be_started_for_a_while(data: bytes) -> None:
    with open_pool(deadline_seconds=2) as pool:
        _decode_at_last(pool)
        with files_allowed(1):
            for photo in (data, PHOTO):
                with pytest.raises((UndecodableImageError, DeadlineExceededError, ImageDecoderError)):
                    pool.decode(photo, TARGET)
            assert not pool.available

        _decode_at_last(pool)
        assert len(pool.process_ids) == 1


def test_further_places_come_though_no_process_can_be_started_for_a_while() -> None:
    with open_pool(3) as pool:
        with files_allowed(1):
            pool.decode(PHOTO, TARGET)
            assert len(pool.process_ids) == 1

        wait_for(lambda: len(pool.process_ids) == 3)


def test_a_pool_that_is_closed_ends_its_processes_and_lets_go_of_whoever_waits_for_a_place() -> None:
    with open_pool(deadline_seconds=60) as pool, ThreadPoolExecutor(2) as threads:
        pool.decode(PHOTO, TARGET)
        waiting = [threads.submit(pool.decode, b"sleep", TARGET) for _ in range(2)]
        time.sleep(0.2)
        processes = pool.process_ids
        pool.__exit__(None, None, None)

        assert all(isinstance(work.exception(timeout=30), ImageDecoderError) for work in waiting)
        assert processes
        assert not any(Path(f"/proc/{one}").exists() for one in processes)


def test_signals_to_the_group_leave_it_at_work() -> None:
    with open_pool() as pool:
        pool.decode(PHOTO, TARGET)
        before = pool.process_ids
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(before[0], number)

        pool.decode(PHOTO, TARGET)

        assert pool.process_ids == before


def test_what_libraries_say_of_a_file_goes_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    with open_pool() as pool:
        pool.decode(b"talk", TARGET)

    assert capfd.readouterr() == ("", "")


def test_threads_share_a_pool() -> None:
    with open_pool(2) as pool, ThreadPoolExecutor(8) as threads:
        decoded = list(threads.map(lambda _: pool.decode(PHOTO, TARGET)[1].width, range(100)))

    assert decoded == [640] * 100


def test_a_program_that_cannot_be_started_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    with open_pool(program="support.nothing") as pool, pytest.raises(ImageDecoderError):
        pool.decode(PHOTO, TARGET)

    assert "support.nothing" in capfd.readouterr().err


def _decode_at_last(pool: DecodePool) -> None:
    """Decode a photo as soon as there is a process that can, which may take a while to start."""
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        with suppress(DeadlineExceededError, ImageDecoderError):
            assert pool.decode(PHOTO, TARGET)[1].format == "PNG"
            return
    raise AssertionError("no photo is decoded")


def test_the_processes_that_decode_do_without_numpy() -> None:
    program = "import sys, photocaption.image.worker; sys.exit('numpy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
