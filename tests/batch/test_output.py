"""Files of rows are whole, of one schema, and read by everybody; what does not belong together is not mixed."""

import os
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.dataset as ds
import pytest

from batch import storage
from batch.errors import OutputError, RunError
from batch.output import Output, name_run
from batch.photo import Photo, make_id
from batch.row import SCHEMA, Source, to_parquet, write_failure

SOURCE = Source("tiny", "1", "20260101T000000-abcd")
MODEL = {"model": {"name": "tiny", "version": "1"}}


def _write(output: Output, unit: int, *names: str, kind: str = "unreadable") -> None:
    rows = [write_failure(Photo(make_id(name), name, "file", name), kind, "No.", 1.5, SOURCE) for name in names]
    storage.publish(output.rows(SOURCE.run, unit), to_parquet(rows))


@pytest.fixture
def output(tmp_path: Path) -> Output:
    output = Output.open(str(tmp_path / "out"))
    output.begin(SOURCE.run, MODEL)
    _write(output, 0, "a", "b")
    _write(output, 1, "c")
    return output


def test_an_output_is_a_table_to_pyarrow_duckdb_and_pandas(output: Output) -> None:
    by_arrow = ds.dataset(output.uri).to_table()
    by_pandas = pd.read_parquet(output.uri)
    [(count, total)] = duckdb.sql(f"select count(*), sum(milliseconds) from '{output.uri}/*.parquet'").fetchall()

    assert by_arrow.schema.equals(SCHEMA)
    assert sorted(by_arrow.column("uri").to_pylist()) == sorted(by_pandas["uri"]) == ["a", "b", "c"]
    assert (count, total) == (3, 4.5)


def test_a_write_that_is_cut_short_leaves_nothing_that_is_read(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", die)

    with pytest.raises(OSError, match="No space left"):
        _write(output, 2, "d")

    assert len(output.row_files()) == 2
    assert sorted(path.name for path in Path(output.uri).iterdir() if path.is_file()) == [
        f"{SOURCE.run}-000000.parquet", f"{SOURCE.run}-000001.parquet",
    ]  # fmt: skip


def test_what_failed_is_done_or_not_as_is_asked(output: Output) -> None:
    done = [ids.tolist() for ids in output.written_ids(with_failed=True)]
    again = [ids.tolist() for ids in output.written_ids(with_failed=False)]

    assert sum(map(len, done)) == 3
    assert sum(map(len, again)) == 0


def test_a_run_that_was_taken_over_from_may_write_no_more(output: Output) -> None:
    output.check_owner(SOURCE.run)
    output.begin("20260101T000001-cdef", MODEL)

    with pytest.raises(RunError, match="has taken over"):
        output.check_owner(SOURCE.run)


def test_captions_of_two_models_are_not_mixed(output: Output) -> None:
    output.check_model("tiny", "1")

    with pytest.raises(OutputError, match="holds captions of tiny 1; tiny 2 needs an output of its own"):
        output.check_model("tiny", "2")


def test_a_foreign_file_among_the_rows_is_an_error(output: Output) -> None:
    Path(output.uri, "other.parquet").write_bytes(b"PAR1")

    with pytest.raises(OutputError, match="is not a file of this program"):
        list(output.written_ids(with_failed=True))


def test_runs_sort_by_time() -> None:
    first, second = name_run(), name_run()

    assert first[:15] <= second[:15]
    assert first != second


@pytest.mark.parametrize("text", ["{", "{}", "[]", '{"model": null}'])
def test_a_damaged_record_of_a_run_is_an_error(output: Output, text: str) -> None:
    output.begin("20260101T000000-aaaa", {"model": {"name": "tiny", "version": "0.0.1"}})
    Path(output.uri, "_runs", "20260101T000000-aaaa", "run.json").write_text(text)

    with pytest.raises(OutputError, match=r"run\.json: is not a file of this program"):
        output.check_model("tiny", "0.0.1")
