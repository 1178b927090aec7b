"""What is left to do is what is listed and not written, each photo once, in units of neighbours."""

import random
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from batch.photo import Photo, make_id
from batch.plan import Listing, choose_rows, read_unit
from batch.to_do import Ids, mark_to_do


def _ids(*names: object) -> Ids:
    return np.array([make_id(str(name)) for name in names], "S32")


def _photo(name: object) -> Photo:
    return Photo(make_id(str(name)), str(name), "file", str(name))


def test_the_anti_join_is_that_of_sets_in_the_order_of_the_listing(tmp_path: Path) -> None:
    chance = random.Random(5)
    names = [chance.randrange(3000) for _ in range(4000)]
    written = set(chance.sample(range(4000), 1500))

    marks = mark_to_do(
        (_ids(*names[start : start + 700]) for start in range(0, 4000, 700)),
        (_ids(*some) for some in (sorted(written)[:800], sorted(written)[800:], [])),
        tmp_path,
    )

    first = [names.index(name) == place for place, name in enumerate(names)]
    assert marks.tolist() == [new and name not in written for new, name in zip(first, names, strict=True)]


def test_a_manifest_has_the_marked_photos_in_units_of_the_size_wanted(tmp_path: Path) -> None:
    listing = Listing(map(_photo, range(25)), tmp_path)
    marks = listing.mark_to_do([_ids(3, 4)])

    units = listing.write_manifest(marks, 10, str(tmp_path / "out" / "manifest.parquet"))

    with pq.ParquetFile(tmp_path / "out" / "manifest.parquet") as manifest:
        found = [[int(photo.uri) for photo in read_unit(manifest, unit)] for unit in range(units)]
    assert listing.count == 25
    assert found == [[0, 1, 2, *range(5, 12)], list(range(12, 22)), [22, 23, 24]]


def test_units_are_large_for_many_photos_and_enough_for_all_actors_for_few() -> None:
    assert choose_rows(1_000_000, 8) == 1000
    assert choose_rows(2000, 2) == 250
    assert choose_rows(3, 8) == 50


def test_a_unit_may_be_of_any_size(tmp_path: Path) -> None:
    photos = [Photo(make_id(str(number)), str(number), "file", str(number)) for number in range(5)]
    listing = Listing(photos, tmp_path)

    assert listing.write_manifest(np.ones(5, np.bool_), 10**30, str(tmp_path / "units.parquet")) == 1
    with pq.ParquetFile(tmp_path / "units.parquet") as manifest:
        assert read_unit(manifest, 0) == photos
