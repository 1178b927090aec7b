"""docs/api.md and docs/integrations.md: every command is run as it stands, and every answer has the shape of the real
one."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from support.photos import photo_bytes
from support.service_process import ServiceProcess

from photocaption.api.problems import KINDS

_DOCS = Path(__file__).parents[2] / "docs"
_DOCUMENT = (_DOCS / "api.md").read_text(encoding="utf-8")
_ALL = _DOCUMENT + (_DOCS / "integrations.md").read_text(encoding="utf-8")
_EXAMPLES = re.findall(r"```console\n\$ (curl .+)\n((?:.*\n)*?)```", _ALL)
_SCALARS = (str, int, float, bool, type(None))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the reader of the document stands."""
    (tmp_path / "photo.jpg").write_bytes(photo_bytes("red", "JPEG", size=(640, 480)))
    (tmp_path / "notes.txt").write_text("no photo")
    return tmp_path


def shape(value: object) -> object:
    """The keys of `value`, all the way down; of a list, the shapes that occur in it; what scores hold is free."""
    if isinstance(value, dict):
        return {key: None if key in ("scores", "training") else shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return sorted({json.dumps(shape(item), sort_keys=True) for item in value})
    assert isinstance(value, _SCALARS)
    return None


def test_there_are_examples() -> None:
    assert len(_EXAMPLES) == _ALL.count("$ curl") > 10


@pytest.mark.slow
@pytest.mark.parametrize(("command", "answer"), _EXAMPLES)
def test_the_command_gives_the_answer(service: ServiceProcess, folder: Path, command: str, answer: str) -> None:
    command = command.replace("localhost:8000", f"127.0.0.1:{service.port}")
    environment = {**os.environ, "KEY": "any"}
    done = subprocess.run(
        f"{command} --silent --show-error",
        shell=True,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout
    if answer:
        assert shape(json.loads(done.stdout)) == shape(json.loads(answer))


def test_every_kind_of_problem_is_explained() -> None:
    rows = re.findall(r"^\| (\d{3}) \| `([a-z-]+)` \|", _DOCUMENT, re.MULTILINE)

    assert rows == [(str(kind.status), kind.slug) for kind in KINDS]
