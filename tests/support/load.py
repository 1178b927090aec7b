"""A steady load of distinct photos from a few clients, each of which waits for an answer before it sends the next."""

import io
import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import httpx
from PIL import Image

from support.waiting import wait_for

_LARGE_EVERY = 8  # so many photos to one that the proxy cannot keep in memory
_MAX_REQUESTS = 20_000


class Load:
    """Sends photos to `POST /caption` from entering the context to leaving it, and counts what came back."""

    def __init__(self, api: str, *, clients: int = 4) -> None:
        self.answered: Counter[str] = Counter()  # by the version of the model that answered
        self.lost: list[str] = []  # what came instead of a caption
        self._api = api
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send_photos, args=(seed,)) for seed in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(120)

    @property
    def sent(self) -> int:
        """Requests that have got an answer, or none, so far."""
        return self.answered.total() + len(self.lost)

    def _send_photos(self, seed: int) -> None:
        photos = _make_photos(seed)
        for _ in range(_MAX_REQUESTS):
            if self._stop.is_set():
                return
            # A connection for each photo, as callers have that come and go.
            with httpx.Client(timeout=60) as client:
                self._send(client, next(photos))

    def _send(self, client: httpx.Client, photo: bytes) -> None:
        try:
            answer = client.post(f"{self._api}/caption", content=photo, headers={"Content-Type": "image/png"})
        except httpx.HTTPError as error:
            self.lost.append(repr(error))
            return
        if answer.status_code == 200:
            self.answered[answer.json()["model"]["version"]] += 1
        else:
            self.lost.append(f"{answer.status_code} {answer.text}")


@contextmanager
def under_load(api: str, *, warm_up: int = 20, clients: int = 4) -> Iterator[Load]:
    """A load that has come into its stride, and that goes on a little after the block."""
    with Load(api, clients=clients) as load:
        wait_for(lambda: load.sent >= warm_up, lambda: f"{load.sent} sent, lost: {load.lost[:3]}")
        yield load
        enough = load.sent + warm_up
        wait_for(lambda: load.sent >= enough, lambda: f"{load.sent} sent, lost: {load.lost[:3]}")


def _make_photos(seed: int) -> Iterator[bytes]:
    chance = random.Random(seed)
    for number in range(_MAX_REQUESTS):
        side = 800 if number % _LARGE_EVERY == _LARGE_EVERY - 1 else 48
        photo = Image.frombytes("RGB", (side, side), chance.randbytes(side * side * 3))
        buffer = io.BytesIO()
        photo.save(buffer, "PNG", compress_level=1)
        yield buffer.getvalue()
