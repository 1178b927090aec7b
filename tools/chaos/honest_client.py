"""An honest client during an attack, which measures the times of photos and probes."""

import asyncio
import collections
import math
import statistics
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field

import httpx
from support.photos import photo_bytes

from chaos.figures import Figures

PATIENCE_SECONDS = 30.0
_PHOTO = photo_bytes("red")


@dataclass
class HonestClient:
    """Seconds that each photo and each probe took, and what became of those that got no answer, or none that helps."""

    photos: list[float] = field(default_factory=list)
    probes: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    async def watch(self, url: str, seconds: float, *, photo: str, probes: Sequence[str]) -> None:
        """Send a photo to the path `photo`, and ask each of `probes`, again and again for so many seconds, each time on
        a connection that is new.
        """
        end = time.perf_counter() + seconds
        new = httpx.Limits(max_keepalive_connections=0)
        async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS, limits=new, verify=False) as client:
            while not self.photos or time.perf_counter() < end:
                for probe in probes:
                    await self._time(self.probes, client.get(probe))
                await self._time(self.photos, client.post(photo, content=_PHOTO, headers={"Content-Type": "image/png"}))
                await asyncio.sleep(0.02)

    def report(
        self, figures: Figures, *, p99_photo: float, p99_probe: float, median_photo: float | None = None
    ) -> None:
        """Note the times, and require that they are below these bounds, and that nothing failed."""
        median = statistics.median(self.photos)
        for name, times, bound in (("photos", self.photos, p99_photo), ("probes", self.probes, p99_probe)):
            figures.values[f"honest {name}"] = len(times)
            figures.values[f"honest {name}, median"] = f"{statistics.median(times):.3f} s"
            figures.values[f"honest {name}, p99"] = f"{_p99(times):.3f} s, at most {bound:g}"
            figures.require(_p99(times) < bound, f"99 of 100 honest {name} take less than {bound:g} s")
        if median_photo is not None:
            figures.require(median < median_photo, f"the median of honest photos is below {median_photo:g} s")
        kinds = dict(collections.Counter(self.failures))
        figures.require(not kinds, f"honest photos and probes are answered; {len(self.failures)} were not: {kinds}")

    async def _time(self, times: list[float], request: Awaitable[httpx.Response]) -> None:
        begun = time.perf_counter()
        try:
            answer = await request
        except httpx.TransportError as error:
            self.failures.append(type(error).__name__)
        else:
            if answer.status_code != httpx.codes.OK:
                self.failures.append(str(answer.status_code))
        times.append(time.perf_counter() - begun)


def _p99(times: Sequence[float]) -> float:
    return sorted(times)[math.ceil(0.99 * len(times)) - 1]
