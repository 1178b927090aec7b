"""The size that the inference image adds to its base, without Docker: that of the same packages, installed here.

The tests of docker-compose.yml hold the built image to the same bar.
"""

import re
from pathlib import Path

from bench.sections import Section

_MEGABYTES = 350
_LEFT_OUT = frozenset({"pip", "setuptools", "pkg_resources", "_distutils_hack"})  # the Dockerfile removes them
_PROMISE = f"the inference image adds less than {_MEGABYTES} MB"


def measure_size(root: Path) -> Section:
    """Installed packages with their bytecode, and the service's code; bundles are mounted."""
    section = Section("Size")
    packages = next((root / ".venv" / "inference" / "lib").glob("python*/site-packages"), None)
    if packages is None:
        section.say("Not measured: `make run` has not yet made the inference environment.")
        section.hold(_PROMISE, "not measured", met=False)
        return section
    sizes = {
        "packages": sum(_size(path) for path in packages.iterdir() if path.name.split("-")[0] not in _LEFT_OUT)
        - sum(_size(path) for pattern in _find_removed(root) for path in packages.glob(pattern)),
        "code": _size(root / "services" / "inference" / "photocaption"),
    }
    section.say("What the image has beside its base: " + ", ".join(f"{name} {mb:.0f} MB" for name, mb in sizes.items()))
    total = sum(sizes.values())
    section.hold(_PROMISE, f"{total:.0f} MB", total < _MEGABYTES)
    return section


def _find_removed(root: Path) -> list[str]:
    """What of the packages the Dockerfile removes, as patterns."""
    dockerfile = (root / "services" / "inference" / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    return [pattern for listed in re.findall(r"rm -rf ([^\n]*)", dockerfile) for pattern in listed.split()]


def _size(path: Path) -> float:
    files = (path, *path.rglob("*")) if path.is_dir() else (path,)
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6
