"""A folder of many photos: few that are generated, copied under many names; one in a hundred is broken."""

import random
from pathlib import Path

from support.hostile_images import make_traps, mutations
from support.photos import photo_bytes
from support.tiny_bundle import COLOURS

_FOLDER = 1000  # photos in a folder
_BROKEN = 0.01


def write_photos(folder: Path, count: int, seed: int) -> None:
    """Write `count` photos, those that are broken in every way that the hostile tests know in turn."""
    chance = random.Random(seed)
    sound = [photo_bytes(colour, form) for colour in COLOURS for form in ("PNG", "JPEG", "WEBP")]
    broken = [*make_traps().values(), *mutations(200, chance)]
    for number in range(count):
        place = folder / f"{number // _FOLDER:04}"
        place.mkdir(parents=True, exist_ok=True)
        is_broken = number % round(1 / _BROKEN) == 50
        data = broken[number // 100 % len(broken)] if is_broken else sound[number % len(sound)]
        (place / f"{number:07}.jpg").write_bytes(data)
