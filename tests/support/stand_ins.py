"""Base images for machines without a registry: the same programs from Debian's packages, with the same tags."""

import shutil
import subprocess
from pathlib import Path

from support.container_engine import run_docker, succeeds

PYTHON = "python:3.11-slim-bookworm"
PROXY = "nginx:1.28-alpine"
PROMETHEUS = "prom/prometheus:v3.5.0"

_PACKAGES = {PROXY: "nginx-light curl", PROMETHEUS: "prometheus"}
_FOLDERS = {PROMETHEUS: "mkdir -m 1777 /prometheus"}  # what the official image has beside the program
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_DEBIAN = "python3,python3-pip,python3-venv,ca-certificates"


def provide_image(tag: str, folder: Path) -> None:
    """Have an image under `tag`: the one that is there, else the registry's, else a stand-in made in `folder`."""
    if succeeds("docker", "image", "inspect", tag) or succeeds("docker", "pull", "--quiet", tag):
        return
    if tag == PYTHON:
        _make_python(tag, folder / "python")
    else:
        provide_image(PYTHON, folder)
        _make_from_packages(tag, _PACKAGES[tag], folder)


def _make_python(tag: str, root: Path) -> None:
    """Debian with its Python where the official image has it, and with the certificates that this machine trusts."""
    subprocess.run(["debootstrap", "--variant=minbase", f"--include={_DEBIAN}", "bookworm", root], check=True)
    shutil.copy(_CERTIFICATES, root / _CERTIFICATES.relative_to("/"))
    (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    for leftovers in ("var/cache/apt/archives", "var/lib/apt/lists"):
        shutil.rmtree(root / leftovers)
        (root / leftovers / "partial").mkdir(parents=True)
    path = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
    with subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE) as archive:
        run_docker("import", "--change", f"ENV PATH={path} LANG=C.UTF-8", "-", tag, stdin=archive.stdout)
    shutil.rmtree(root)


def _make_from_packages(tag: str, packages: str, folder: Path) -> None:
    steps = f"apt-get update && apt-get install --yes --no-install-recommends {packages} && rm -rf /var/lib/apt/lists/*"
    folders = _FOLDERS.get(tag, "true")
    (folder / "Dockerfile").write_text(f"FROM {PYTHON}\nRUN {steps} && {folders}\n")
    run_docker("build", "--tag", tag, str(folder))
