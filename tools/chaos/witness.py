"""What an honest client sees while others do their worst: how long photos and probes take."""

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx
from support.photos import photo_bytes

from chaos.figures import Figures

PATIENCE_SECONDS = 30.0
_PHOTO = photo_bytes("red")


@dataclass
class Witness:
    """Seconds that each photo and each probe took, and how many photos got no caption."""

    photos: list[float] = field(default_factory=list)
    probes: list[float] = field(default_factory=list)
    failed: int = 0

    async def watch(self, url: str, seconds: float, *, photo: str, probes: Sequence[str]) -> None:
        """Send a photo to the path `photo`, and ask each of `probes`, again and again for so many seconds."""
        end = time.perf_counter() + seconds
        async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS) as client:
            while time.perf_counter() < end:
                for probe in probes:
                    begun = time.perf_counter()
                    (await client.get(probe)).raise_for_status()
                    self.probes.append(time.perf_counter() - begun)
                begun = time.perf_counter()
                answer = await client.post(photo, content=_PHOTO, headers={"Content-Type": "image/png"})
                self.photos.append(time.perf_counter() - begun)
                self.failed += answer.status_code != httpx.codes.OK
                await asyncio.sleep(0.02)

    def report(self, figures: Figures, *, median_photo: float, slowest_probe: float) -> None:
        """Note the times, and require that they are below these bounds, and that no photo failed."""
        for name, times in (("photos", self.photos), ("probes", self.probes)):
            figures.values[f"honest {name}"] = len(times)
            figures.values[f"honest {name}, median / p99 (s)"] = f"{statistics.median(times):.3f} / {_p99(times):.3f}"
        figures.require(self.failed == 0, f"honest photos are captioned; {self.failed} were not")
        figures.require(statistics.median(self.photos) < median_photo, f"their median is below {median_photo:g} s")
        figures.require(_p99(self.probes) < slowest_probe, f"99 of 100 probes take less than {slowest_probe:g} s")


def _p99(times: Sequence[float]) -> float:
    return sorted(times)[int(0.99 * (len(times) - 1))]
