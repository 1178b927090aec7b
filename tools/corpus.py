"""`make corpus CORPUS=folder`: what the service makes of somebody's pictures, beside what libvips reads in them.

Every file is sent to a service, and what it takes is decoded here again and compared with libvips, small, in mean
difference of 255. By kind it prints how many are read alike, read otherwise, refused and why, how long the slowest took
and how much memory the service had at most. Then it names what a person should look at: what is read otherwise, and
what is refused although libvips reads it.
"""

import argparse
import collections
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import numpy.typing as npt
import pyvips
from chaos.figures import Resources
from PIL import Image
from support.service_process import run_service
from support.tiny_bundle import write_tiny_bundle

from inference.image.decode import decode

_SIDE = 64
_ALIKE = 6.0
_PATIENCE = 60.0

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a file. `kind`: by content; `detail`: why it was refused; `difference`: to libvips."""

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
            return "read, not by libvips"
        return "read alike" if self.difference <= _ALIKE else "read otherwise"


def main() -> int:
    """Print the tables; the exit code is 1 where a file made the service fail."""
    parser = argparse.ArgumentParser(prog="python -m corpus", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
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
    elsewhere = _read_elsewhere(data)
    kind, detail, difference = path.suffix.lower().removeprefix("."), "", None
    if answer.status_code == 200:
        kind = str(answer.json()["image"]["format"])
        ours = np.asarray(decode(data)[0].resize((_SIDE, _SIDE), Image.Resampling.BOX), np.float64)
        difference = None if elsewhere is None else float(np.abs(ours - elsewhere).mean())
    else:
        detail = str(answer.json()["detail"]).partition("At most")[0]
    return Verdict(path, kind, answer.status_code, detail, seconds, elsewhere is not None, difference)


def _read_elsewhere(data: bytes) -> Values | None:
    """What libvips sees, small; None where it reads nothing."""
    try:
        image = pyvips.Image.new_from_buffer(data, "").autorot()
        if image.get_typeof("icc-profile-data") or image.interpretation == "cmyk":
            image = image.icc_transform("srgb", embedded=True, input_profile="cmyk")
        if image.hasalpha():
            image = image.flatten(background=[255 * 257 if image.format == "ushort" else 255])
        pixels = image.colourspace("srgb").cast("uchar").numpy()
    except pyvips.Error:
        return None
    picture = Image.fromarray(pixels.squeeze()).convert("RGB")
    return np.asarray(picture.resize((_SIDE, _SIDE), Image.Resampling.BOX), np.float64)


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
