"""Programs that people post photos with, each as it is by default: all bytes arrive, in a form and by themselves.

Those that are not installed are left out; tests/support/clients has a small program for each that needs one.
"""

import hashlib
import importlib.util
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import requests
from support.service_process import run_service
from support.uploads import make_photo

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / "tests/support/clients"
JPEG = {"Content-Type": "image/jpeg"}
PATIENCE = 240
BYTES = 3_000_000


@pytest.fixture(scope="module")
def url(tiny_bundle: Path) -> Iterator[str]:
    with run_service(tiny_bundle, cache_size=0) as service:
        yield f"{service.url}/caption"


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clients") / "photo.jpg"
    path.write_bytes(make_photo() + random.Random(0).randbytes(BYTES))  # as phones put a film behind a photo
    return path


def check(answers: list[str], photo: Path) -> None:
    """Both answers are captions of this very photo."""
    sha256 = hashlib.sha256(photo.read_bytes()).hexdigest()
    assert [json.loads(answer)["image"]["sha256"] for answer in answers] == [sha256] * 2


def run(command: list[str | Path], environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def find(program: str) -> str:
    """The program's path; without it the test is left out."""
    return shutil.which(program) or pytest.skip(f"{program} is not installed")


def test_requests(url: str, photo: Path) -> None:
    with photo.open("rb") as file:
        form = requests.post(url, files={"image": file}, timeout=PATIENCE)
    with photo.open("rb") as file:
        raw = requests.post(url, data=file, headers=JPEG, timeout=PATIENCE)

    check([form.text, raw.text], photo)


def test_httpx(url: str, photo: Path) -> None:
    with photo.open("rb") as file:
        form = httpx.post(url, files={"image": file}, timeout=PATIENCE)
    with photo.open("rb") as file:
        raw = httpx.post(url, content=file, headers=JPEG, timeout=PATIENCE)

    check([form.text, raw.text], photo)


def test_aiohttp(url: str, photo: Path) -> None:
    python = Path(sys.executable) if importlib.util.find_spec("aiohttp") else ROOT / ".venv/batch-dev/bin/python"
    if not python.exists():
        pytest.skip("aiohttp is in no environment")

    check(run([python, PROGRAMS / "post_aiohttp.py", url, photo]).splitlines(), photo)


@pytest.mark.parametrize("options", [[], ["--http2"], ["--http1.0"], ["-H", "Transfer-Encoding: chunked"]])
def test_curl(options: list[str], url: str, photo: Path) -> None:
    curl = [find("curl"), "--silent", "--show-error", *options]
    if "--http2" in options and "HTTP2" not in run([curl[0], "--version"]):
        pytest.skip("this curl knows no HTTP/2")

    form = run([*curl, "-F", f"image=@{photo}", url])
    raw = run([*curl, "-H", "Content-Type: image/jpeg", "--data-binary", f"@{photo}", url])

    check([form, raw], photo)


def test_java(url: str, photo: Path) -> None:
    find("javac")  # `java` alone compiles nothing

    check(run([find("java"), PROGRAMS / "Post.java", url, photo]).splitlines(), photo)


def test_node(url: str, photo: Path) -> None:
    node = find("node")
    if int(run([node, "--version"]).lstrip("v").partition(".")[0]) < 18:
        pytest.skip("this Node has no fetch")

    check(run([node, PROGRAMS / "post.mjs", url, photo]).splitlines(), photo)


def test_go(url: str, photo: Path, tmp_path: Path) -> None:
    go = find("go")
    environment = {"PATH": str(Path(go).parent), "HOME": str(tmp_path), "GOCACHE": str(tmp_path / "cache")}

    check(run([go, "run", PROGRAMS / "post.go", url, photo], environment).splitlines(), photo)
