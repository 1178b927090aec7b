"""What the programs are made of: pinned by hash, free of holes that are known, and no more than they need."""

import re
from pathlib import Path

import pytest
from packaging.version import Version

_ROOT = Path(__file__).parents[1]
_SERVING = ("services/inference/requirements.txt", "services/frontend/requirements.txt")
_TRACING = ("services/inference/requirements-tracing.txt", "services/frontend/requirements-tracing.txt")
_BATCH = ("services/batch/requirements.txt", "services/batch/requirements-dev.txt")
_OTHERS = (*_SERVING, *_TRACING, "training/requirements.txt", "requirements-dev.txt")
_ALL = (*_OTHERS, *_BATCH)

# The first version without a hole that was known when the line was written; older ones are refused.
_FLOORS = {
    "keras": "3.15.1",
    "nltk": "3.10.4",
    "pillow": "13.0.0",
    "python-multipart": "0.0.34",
    "starlette": "0.49.1",
    "h11": "0.16.0",
    "jinja2": "3.1.6",
    "werkzeug": "3.1.4",
    "requests": "2.32.4",
    "urllib3": "2.6.0",
}


def read_pins(path: str) -> dict[str, Version]:
    """The packages of a requirements file and their versions."""
    text = (_ROOT / path).read_text(encoding="utf-8")
    return {name: Version(version) for name, version in re.findall(r"^([a-z0-9-]+)==([^\s;\\]+)", text, re.MULTILINE)}


@pytest.mark.parametrize("path", _ALL)
def test_every_dependency_is_pinned_by_hash(path: str) -> None:
    text = (_ROOT / path).read_text(encoding="utf-8").replace("\\\n", " ")
    requirements = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]

    assert requirements
    for requirement in requirements:
        assert re.match(r"[a-z0-9-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", requirement), requirement


@pytest.mark.parametrize("path", _ALL)
def test_no_dependency_has_a_known_hole(path: str) -> None:
    pins = read_pins(path)
    old = {name: str(pins[name]) for name, floor in _FLOORS.items() if name in pins and pins[name] < Version(floor)}

    assert old == {}


@pytest.mark.parametrize("path", _SERVING)
def test_serving_needs_no_training(path: str) -> None:
    assert not {"tensorflow", "keras", "torch", "nltk"} & set(read_pins(path))


@pytest.mark.parametrize("path", _OTHERS)
def test_ray_is_in_the_environments_of_batch_alone(path: str) -> None:
    assert not {"ray", "pyarrow"} & set(read_pins(path))


def test_batch_captions_with_the_libraries_that_serve() -> None:
    serving = read_pins(_SERVING[0])
    batch = read_pins(_BATCH[0])

    assert {name: batch.get(name) for name in serving} == serving
