"""`make corpus CORPUS=folder`: compares how the service decodes a folder of images with other decoders.

Every file is sent to a service. Those that it accepts are decoded here again and compared at a small size, by the mean
difference of 255, with libvips and, where that differs or fails, with ImageMagick, if it is installed. For each format
it prints how many are read alike, read otherwise or refused and why, the slowest, and the service's peak memory. Then
it lists the files to look at: those that are read otherwise, and those that are refused although another decoder reads
them. Decoders also differ where there is no standard, such as for inks without a profile.
"""

import argparse
import collections
import io
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import numpy.typing as npt
from chaos.figures import Resources
from PIL import Image
from support.libvips import read_by_libvips
from support.service_process import run_service
from support.tiny_bundle import write_tiny_bundle

from photocaption.caption import ImageProperties
from photocaption.errors import ImageError
from photocaption.image.decode import decode

_SIDE = 64
_SUFFICIENT_SIDE = 512
_ALIKE = 6.0
_PATIENCE = 60.0

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result for a file. `kind`: by content; `detail`: why it was refused; `difference`: to the nearest decoder."""

    path: Path
    kind: str
    status: int
    detail: str
    seconds: float
    read_elsewhere: bool
    difference: float | None

    @property
    def outcome(self) -> str:
        """A few words that many files share."""
        if self.status != 200:
            return f"{self.status} {self.detail}"
        if self.difference is None:
            return "read, by nobody else"
        return "read alike" if self.difference <= _ALIKE else "read otherwise"


def main(arguments: list[str] | None = None) -> int:
    """Print the tables; the exit code is 1 where a file made the service fail."""
    parser = argparse.ArgumentParser(prog="python -m corpus", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args(arguments).folder
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
    with (
        tempfile.TemporaryDirectory() as made,
        run_service(write_tiny_bundle(Path(made) / "tiny"), cache_size=0) as service,
        httpx.Client(base_url=service.url, timeout=_PATIENCE) as client,
    ):
        verdicts = [_judge(client, path) for path in paths]
        memory = Resources.of(service.process.pid).peak_megabytes
    print(_sum_up(verdicts), f"\n{len(verdicts)} files; the service had {memory} MB at most", sep="\n")
    for verdict in verdicts:
        if verdict.outcome == "read otherwise" or (verdict.status != 200 and verdict.read_elsewhere):
            difference = "" if verdict.difference is None else f" ({verdict.difference:.1f})"
            print(f"  {verdict.path.relative_to(folder)}: {verdict.outcome}{difference}")
    return int(any(verdict.status >= 500 for verdict in verdicts))


def _judge(client: httpx.Client, path: Path) -> Verdict:
    data = path.read_bytes()
    start = time.perf_counter()
    answer = client.post("/caption", content=data, headers={"Content-Type": "image/jpeg"})
    seconds = time.perf_counter() - start
    others = _read_elsewhere(path)
    if answer.status_code != 200:
        kind, detail = path.suffix.lower().removeprefix("."), str(answer.json()["detail"]).partition("At most")[0]
        return Verdict(path, kind, answer.status_code, detail, seconds, any(True for _ in others), None)
    image, info = _decode(data)
    ours, nearest = _shrink(image), None
    for other in others:
        difference = float(np.abs(ours - other).mean())
        nearest = difference if nearest is None else min(nearest, difference)
        if nearest <= _ALIKE:
            break
    return Verdict(path, info.format, answer.status_code, "", seconds, nearest is not None, nearest)


def _decode(data: bytes) -> tuple[Image.Image, ImageProperties]:
    """The image, smaller where it is only read so: where one pixel is missing, say."""
    try:
        return decode(data, sufficient_side=_SUFFICIENT_SIDE)
    except ImageError:
        return decode(data, sufficient_side=_SIDE)


def _read_elsewhere(path: Path) -> Iterator[Values]:
    """The small image of each other decoder that can read the file."""
    data = path.read_bytes()
    for read in (read_by_libvips, _read_by_imagemagick):
        image = read(data)
        if image is not None:
            yield _shrink(image)


def _read_by_imagemagick(data: bytes) -> Image.Image | None:
    program = shutil.which("magick") or shutil.which("convert")
    if program is None:
        return None
    options = ["-auto-orient", "-colorspace", "sRGB", "-background", "white", "-alpha", "remove", "-depth", "8"]
    try:
        run = subprocess.run([program, "-[0]", *options, "ppm:-"], input=data, capture_output=True, timeout=_PATIENCE)
        return None if run.returncode else Image.open(io.BytesIO(run.stdout)).convert("RGB")
    except (OSError, subprocess.TimeoutExpired):
        return None


def _shrink(image: Image.Image) -> Values:
    return np.asarray(image.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BOX), np.float64)


def _sum_up(verdicts: list[Verdict]) -> str:
    lines = []
    for kind in sorted({verdict.kind for verdict in verdicts}):
        those = [verdict for verdict in verdicts if verdict.kind == kind]
        slowest = max(verdict.seconds for verdict in those)
        lines.append(f"{kind or 'no name'}: {len(those)}, the slowest {slowest:.2f} s")
        counts = collections.Counter(verdict.outcome for verdict in those)
        lines += [f"  {count:>6} {outcome}" for outcome, count in counts.most_common()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
