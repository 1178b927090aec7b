"""The page about a run shows its rows as they are, photos beside them, and runs nothing that a name may hold."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.photos import photo_bytes

from batch import storage
from batch.cli import main
from batch.row import Row, to_parquet
from batch.survey import survey

pytestmark = pytest.mark.usefixtures("without_ray")


def _row(name: str, confidence: float | None) -> Row:
    kind, detail = (None, None) if confidence is not None else ("unreadable", f"No {name}.")
    return Row(name, name, "0", 4, 3, "PNG", "a", "A.", confidence, "tiny", "1", kind, detail, 1.0, "run")


def _report(tmp_path: Path, tiny_bundle: Path, *options: str) -> str:
    output = tmp_path / "captions"
    assert main([str(tmp_path / "photos"), f"--output={output}", f"--bundle={tiny_bundle}", *options]) == 0
    [report] = output.glob("_runs/*/report.html")
    return report.read_text()


def test_captions_stand_beside_their_photos_and_names_are_text(tmp_path: Path, tiny_bundle: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "<script>&.png").write_bytes(photo_bytes("red", size=(80, 40)))
    (tmp_path / "photos" / "<b>.png").write_bytes(b"none")

    page = _report(tmp_path, tiny_bundle)

    assert page.count('<img src="data:image/jpeg;base64,') == 1
    assert 'alt="A red square."' in page
    assert "&lt;script&gt;&amp;.png" in page
    assert "&lt;b&gt;.png" in page
    assert "<script>" not in page
    assert "<td>unsupported-type</td><td>1</td>" in page
    assert "<h1>1 photos captioned</h1>" in page


def test_photos_of_a_table_are_shown_in_whatever_order(tmp_path: Path, tiny_bundle: Path) -> None:
    (tmp_path / "photos").mkdir()
    cells = [photo_bytes(colour) for colour in ("white", "red", "black", "green", "blue")]
    pq.write_table(pa.table({"photo": cells}), tmp_path / "photos" / "t.parquet", row_group_size=2)

    assert _report(tmp_path, tiny_bundle, "--bytes-column=photo").count('<img src="data:image/jpeg;base64,') == 5


def test_a_survey_counts_every_row_and_keeps_few(tmp_path: Path) -> None:
    for number in range(4):
        rows = [_row(f"{number}-{row}", None if row % 5 == 0 else row / 99) for row in range(100)]
        storage.publish(str(tmp_path / f"{number}.parquet"), to_parquet(rows))
    files = [str(path) for path in sorted(tmp_path.iterdir())]

    found = survey(files, "seed")

    assert sum(found.confidence) == 4 * 80
    assert found.confidence[-1] == 4 * 4  # of 95 to 99, all but 95
    assert found.failures["unreadable"].count == 4 * 20
    assert found.failures["unreadable"].examples[1] == ("0-5", "No 0-5.")
    assert len({row.id for row in found.sample}) == 24
    assert {row.id[0] for row in found.sample} == {"0", "1", "2", "3"}
    assert found.sample == survey(files, "seed").sample
    assert found.sample != survey(files, "other").sample
