"""A file that is written by `atomic_write` is there as a whole, or as it was before."""

from pathlib import Path

import pytest

from training.arrays import atomic_write


def test_what_is_written_takes_its_place_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "weights.h5"

    with atomic_write(path) as partial:
        partial.write_text("whole")
        assert not path.exists()
        assert partial.suffix == ".h5"

    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_what_was_interrupted_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "weights.h5"
    path.write_text("old")

    def write_half() -> None:
        with atomic_write(path) as partial:
            partial.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
