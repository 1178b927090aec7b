"""`caption html`: an alt text for each picture that has none, and not a byte more."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.command import run_caption
from support.photos import photo_bytes

from photocaption.cli.pages import MAX_CHARACTERS, Page, shorten

_PAGE = b"""<!doctype html>\r\n<title>caf\xe9 & more</title>
<!-- <img src="red.png"> --><script>'<img src="red.png">'</script>
<p>one <img src="red.png"> two <IMG
  class=wide src='/images/blue%20sky.jpg?v=1' />
<img src="red.png" alt=""><img src="red.png" alt><img src="red.png" alt="By a person">
<img src="red.png" role="presentation"><img src="red.png" aria-hidden="true"><img src="red.png" aria-label="Red">
<img src="https://example.org/red.png"><img src="//example.org/red.png"><img src="data:image/png;base64,AA=="><img>
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A page and two pictures."""
    (tmp_path / "blog").mkdir()
    (tmp_path / "images").mkdir()
    (tmp_path / "blog" / "index.html").write_bytes(_PAGE)
    (tmp_path / "blog" / "red.png").write_bytes(photo_bytes("red"))
    (tmp_path / "images" / "blue sky.jpg").write_bytes(photo_bytes("blue", "JPEG"))
    return tmp_path


def test_what_is_missing_is_filled_in_and_nothing_else_changes(site: Path, tiny_bundle: Path) -> None:
    page = site / "blog" / "index.html"

    first = run_caption("html", site, bundle=tiny_bundle)
    written = page.read_bytes()
    second = run_caption("html", site, bundle=Path("no model is needed"))

    assert written == _PAGE.replace(b'one <img src="red.png">', b'one <img alt="A red square." src="red.png">').replace(
        b"<IMG\n", b'<IMG alt="A blue square."\n'
    )
    assert first.returncode == 0
    assert first.stdout.splitlines() == [
        f"{page}: red.png: A red square.",
        f"{page}: /images/blue%20sky.jpg?v=1: A blue square.",
    ]
    assert first.stderr.count("not a file of this site") == 4
    assert (second.returncode, second.stdout, page.read_bytes()) == (0, "", written)


def test_a_dry_run_says_it_and_writes_nothing(site: Path, tiny_bundle: Path) -> None:
    result = run_caption("html", site, "--dry-run", bundle=tiny_bundle)

    assert "red.png: A red square." in result.stdout
    assert (site / "blog" / "index.html").read_bytes() == _PAGE


def test_what_never_ends_and_what_cannot_be_a_name_are_left_out(site: Path, tiny_bundle: Path) -> None:
    os.mkfifo(site / "endless.html")
    os.mkfifo(site / "endless.png")
    page = site / "page.html"
    page.write_bytes(b'<img src="endless.png"><img src="a%00.png"><img src="blog/red.png">')

    result = subprocess.run(
        [sys.executable, "-m", "photocaption.cli", "html", site, "--bundle", tiny_bundle],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert page.read_bytes().endswith(b'<img alt="A red square." src="blog/red.png">')
    assert "endless.html: is not a plain file" in result.stderr
    assert "endless.png: not a file of this site" in result.stderr
    assert result.returncode == 1


def test_what_cannot_be_described_is_said_and_left(site: Path, tiny_bundle: Path) -> None:
    page = site / "page.htm"
    content = b'<img src=gone.png><img src="dot.png"><img src=bad.png>'
    page.write_bytes(content)
    (site / "dot.png").write_bytes(photo_bytes("red", size=(15, 15)))
    (site / "bad.png").write_bytes(b"no picture")
    (site / "blog" / "index.html").unlink()

    result = run_caption("html", site, bundle=tiny_bundle)

    assert (result.returncode, page.read_bytes()) == (1, content)
    gone, dot, bad, summary = result.stderr.splitlines()
    assert gone == f"caption: {page}: gone.png: No such file or directory"
    assert dot == f"caption: {page}: dot.png: too small to describe"
    assert bad.startswith(f"caption: {page}: bad.png: ")
    assert summary == "caption: 1 unsure, 2 failed"


def test_an_unsure_text_is_left_to_a_person(site: Path, tiny_bundle: Path) -> None:
    result = run_caption("html", site, "--min-confidence", "1", bundle=tiny_bundle)

    assert (result.returncode, result.stdout) == (0, "")
    assert "red.png: unsure (" in result.stderr
    assert (site / "blog" / "index.html").read_bytes() == _PAGE


@pytest.mark.parametrize(
    ("source", "file"),
    [
        ("red.png", "blog/red.png"),
        ("./a/../red.png#top", "blog/red.png"),
        ("../../../etc/passwd", "etc/passwd"),
        ("%2e%2e/%2e%2e/%2e%2e/etc/passwd", "etc/passwd"),
        ("caf%C3%A9.png", "blog/caf\u00e9.png"),
        ("http://[", None),
        (" ", None),
    ],
)
def test_an_address_names_a_file_of_the_site_or_none(site: Path, source: str, file: str | None) -> None:
    page = site / "blog" / "page.html"
    page.write_text(f'<img src="{source}">')

    (gap,) = Page(site, page).gaps

    assert gap.file == (None if file is None else site / file)


def test_a_base_moves_the_addresses(site: Path) -> None:
    page = site / "page.html"
    page.write_text('<base href="images/"><img src="a.png"><base href="https://example.org/"><img src="b.png">')

    first, second = Page(site, page).gaps

    assert (first.file, second.file) == (site / "images" / "a.png", None)


def test_a_text_is_escaped_and_not_longer_than_screen_readers_read(site: Path) -> None:
    page = site / "page.html"
    page.write_text("<img src=a.png>")

    filled = Page(site, page).fill({site / "a.png": '"a" & <b> ' + "word " * 40}).decode()

    assert filled.startswith('<img alt="&quot;a&quot; &amp; &lt;b&gt; word ')
    assert filled.endswith('word…" src=a.png>')
    assert len(shorten("word " * 40)) <= MAX_CHARACTERS


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "<![CDATA[" * 100_000),
        ("", "<?" * 150_000),
        ("", "<a" + " a=" * 100_000 + "</" * 100_000),
        ("<!" + "[" * 100_000 + ">", ""),
        ("<![if !IE]>", "<![endif]>"),
    ],
    ids=["sections", "instructions", "tags", "brackets", "condition"],
)
def test_what_is_never_closed_takes_no_time_and_hides_no_image(site: Path, before: str, after: str) -> None:
    (site / "odd.html").write_text(before + '<img src="a.jpg">' + after)
    begun = time.process_time()

    (gap,) = Page(site, site / "odd.html").gaps

    assert gap.source == "a.jpg"
    assert time.process_time() - begun < 1


def test_what_is_no_folder_is_refused(tmp_path: Path, tiny_bundle: Path) -> None:
    result = run_caption("html", tmp_path / "nowhere", bundle=tiny_bundle)

    assert (result.returncode, "is not a folder" in result.stderr) == (2, True)
