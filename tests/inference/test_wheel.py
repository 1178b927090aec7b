"""The wheel of `make wheel`: the package and its model in one file, which needs nothing of the repository."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx
import pytest
from support.photos import photo_bytes

_ROOT = Path(__file__).parents[2]
_MAX_IMPORT_MEGABYTES = 100

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel with the tiny model, unpacked as pip does it, and a photo beside it."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("Makefile", "services", ".venv"):
        (folder / name).symlink_to(_ROOT / name)
    command = ["make", "wheel", f"BUNDLE={tiny_bundle}", f"INFERENCE={Path(sys.executable).parents[1]}", "-o", _ready()]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    (folder / "red.png").write_bytes(photo_bytes("red"))
    return folder


def _ready() -> str:
    return str(Path(sys.executable).parents[1] / "ready")


def run(installed: Path, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CAPTION_")}
    environment["PYTHONPATH"] = str(installed / "site")
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=installed, check=True, capture_output=True, text=True, env=environment).stdout


def test_the_program_has_its_model_with_it(installed: Path) -> None:
    assert run(installed, "-m", "photocaption.cli", "red.png") == "A red square.\n"


def test_the_library_has_it_too(installed: Path) -> None:
    code = (
        "import pathlib, photocaption; assert 'site' in photocaption.__file__;"
        "print(photocaption.Captioner.load().caption(pathlib.Path('red.png').read_bytes()).alt_text)"
    )

    assert run(installed, "-c", code) == "A red square.\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells it from what the parent had before it")
def test_the_import_is_light(installed: Path) -> None:
    code = (
        "from photocaption import Captioner; print(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0])"
    )

    assert int(run(installed, "-c", code)) / 1024 < _MAX_IMPORT_MEGABYTES


def test_it_serves(installed: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CAPTION_")}
    environment |= {"PYTHONPATH": str(installed / "site"), "CAPTION_PORT": "0"}
    process = subprocess.Popen(
        [sys.executable, "-m", "photocaption.cli", "serve"],
        cwd=installed,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        port = next(line for line in process.stdout if '"listening"' in line).partition('"port": ')[2].rstrip("}\n")
        next(line for line in process.stdout if '"ready"' in line)
        response = httpx.post(f"http://127.0.0.1:{port.split(',')[0]}/caption", content=photo_bytes("blue"))
        assert response.json()["caption"] == "a blue square"
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 0
