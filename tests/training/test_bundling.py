"""What a job takes of its photos."""

from pathlib import Path

import numpy as np
import pytest

from training.config import load_config
from training.data.dataset import Photo
from training.data.views import WHOLE
from training.encoder.pretrained import Start
from training.publish.bundling import Job

STARTED = Start(decoder={"bias": np.zeros(1, np.float16)})


def choose(words: list[str], start: Start) -> int:
    """How many views a job with these settings takes of a photo."""
    folder = Path("unused")
    job = Job(folder, folder, load_config(overrides=words), folder, folder, "caption-train train", start=start)
    views = job.choose_views(Photo("0.jpg", folder, ("a dog",), "0" * 64))
    assert not views or views[0] == WHOLE
    return len(views)


@pytest.mark.parametrize(
    ("words", "several"),
    [
        ([], True),
        (["self_critical.epochs=0"], False),
        (["self_critical.views=false"], False),
        (["self_critical.epochs=0", "fine_tuning.epochs=1"], True),
        (["self_critical.epochs=0", "fitting.views=true"], True),
    ],
)
def test_views_are_wanted_where_a_phase_takes_them(words: list[str], several: bool) -> None:
    assert (choose(words, Start()) > 1) == several
    assert choose(words, Start()) > 0


def test_a_job_that_only_publishes_its_start_looks_at_no_training_photo() -> None:
    assert choose(["self_critical.epochs=0"], STARTED) == 0
    assert choose(["self_critical.epochs=0", "fitting.views=true"], STARTED) == 0
    assert choose([], STARTED) > 1
