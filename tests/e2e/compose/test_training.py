"""`docker compose run training`: photos with captions in, a bundle out, and inference serves it."""

import os
import time
from pathlib import Path

import pytest
from support.compose import Stack
from support.photos import photo_bytes
from support.report import Report
from support.shapes import write_shapes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

_QUICK = (
    "encoder.size=75",
    "encoder.canonical_size=null",
    "encoder.precision=float32",
    "decoder.units=16",
    "decoder.heads=2",
    "fitting.epochs=2",
    "fitting.least_photos=90",
    "fitting.least_batches=1",
    "self_critical.epochs=0",
    "fitting.photos_per_batch=8",
    "vocabulary.min_count=1",
    "vocabulary.max_length=8",
)


def test_a_model_trained_in_a_container_is_served(stack: Stack, tmp_path: Path, report: Report) -> None:
    dataset = write_shapes(tmp_path / "shapes")
    owner = f"{os.getuid()}:{os.getgid()}"

    with stack.variables(COMPOSE_PROFILES="training", DATASET=str(dataset), TRAIN_AS=owner):
        stack.compose("build", "training")
        start = time.monotonic()
        stack.compose(
            "run", "--rm", "-T", "training", "train", "--dataset", "/data", "--out", "/artifacts/shapes", *_QUICK
        )
    report.note(f"a tiny model trained in a container: {time.monotonic() - start:.0f} s")

    with stack.variables(BUNDLE="shapes"):
        stack.scale(1)
        caption = stack.caption(photo_bytes("red"))
    stack.scale(1)

    assert caption["model"]["name"] == "shapes"
    assert caption["caption"]
