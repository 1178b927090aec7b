"""A bundle is read when every byte is as its manifest says, and refused with one clear line otherwise."""

import json
import os
import re
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.tiny_bundle import WORDS, write_manifest, write_tiny_bundle

from photocaption.errors import BundleError
from photocaption.model import bundle as bundle_module
from photocaption.model.bundle import digest_files, file_entry, load_bundle
from photocaption.model.manifest import Manifest

Damage = Callable[[Path], object]


@pytest.fixture
def bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A copy of the tiny bundle, to be damaged."""
    return shutil.copytree(tiny_bundle, tmp_path / "bundle")


def edit_manifest(bundle: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    path = bundle / "manifest.json"
    manifest = json.loads(path.read_text())
    edit(manifest)
    path.write_text(json.dumps(manifest))


def edited(edit: Callable[[dict[str, Any]], object]) -> Damage:
    return lambda bundle: edit_manifest(bundle, edit)


def flip_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def replace_with_link(path: Path) -> None:
    kept = path.rename(path.parent.parent / path.name)
    path.symlink_to(kept)


def replace_with_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def replace_with_zeros(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def rewrite_vocabulary(bundle: Path, text: str) -> None:
    """Another vocabulary, published properly: hash and size fit."""
    (bundle / "vocabulary.json").write_text(text)
    write_manifest(bundle)


def rewrite_trigrams(bundle: Path, data: bytes) -> None:
    (bundle / "trigrams.bin").write_bytes(data)
    write_manifest(bundle)


def test_a_whole_bundle_is_loaded(bundle: Path) -> None:
    loaded = load_bundle(bundle)

    assert loaded.manifest.name == "tiny"
    assert loaded.vocabulary.words == WORDS
    assert loaded.read("encoder.onnx") == (bundle / "encoder.onnx").read_bytes()
    assert not loaded.has_saved_model()


def test_a_bundle_may_hold_files_in_folders(bundle: Path) -> None:
    (bundle / "saved_model").mkdir()
    (bundle / "saved_model" / "saved_model.pb").write_bytes(b"a graph")
    write_manifest(bundle)

    assert load_bundle(bundle).has_saved_model()


def test_the_path_of_a_bundle_may_be_a_link(bundle: Path) -> None:
    link = bundle.parent / "current"
    link.symlink_to(bundle)

    assert load_bundle(link).manifest.name == "tiny"


DAMAGES: list[tuple[str, Damage, str]] = [
    ("a flipped bit", lambda b: flip_bit(b / "encoder.onnx"), "encoder.onnx: .*sha256"),
    ("a truncated file", lambda b: os.truncate(b / "decoder_step.onnx", 10), "decoder_step.onnx: has 10 bytes"),
    ("a missing file", lambda b: (b / "decoder_start.onnx").unlink(), "decoder_start.onnx: .*missing"),
    ("an extra file", lambda b: (b / "notes.txt").touch(), "notes.txt: is not listed"),
    ("a hidden extra file", lambda b: (b / ".hidden").touch(), ".hidden: is not listed"),
    ("a link", lambda b: replace_with_link(b / "MODEL_CARD.md"), "MODEL_CARD.md: is neither"),
    ("a pipe", lambda b: os.mkfifo(b / "pipe"), "pipe: is neither"),
    ("a pipe for a manifest", lambda b: replace_with_pipe(b / "manifest.json"), "manifest.json: is neither"),
    ("an endless manifest", lambda b: replace_with_zeros(b / "manifest.json"), "manifest.json: is neither"),
    ("a manifest too large", lambda b: os.truncate(b / "manifest.json", 2**33), "manifest.json: "),
    ("no manifest", lambda b: (b / "manifest.json").unlink(), "manifest.json: cannot be read"),
    ("an empty manifest", lambda b: (b / "manifest.json").write_text(""), "manifest.json: "),
    ("a manifest of another shape", lambda b: (b / "manifest.json").write_text("[1]"), "manifest.json: "),
    ("a manifest nested too deep", lambda b: (b / "manifest.json").write_text("[" * 100_000), "manifest.json: "),
    ("a newer schema", edited(lambda m: m.update(schema_version=2)), "manifest.json: schema version 2"),
    ("a schema version in quotes", edited(lambda m: m.update(schema_version="1")), "manifest.json: schema_version"),
    ("an unknown field", edited(lambda m: m.update(colour="blue")), "manifest.json: colour"),
    ("a number in quotes", edited(lambda m: m["image"].update(height="299")), "manifest.json: image.height"),
    ("an image of no height", edited(lambda m: m["image"].update(height=0)), "manifest.json: image.height"),
    ("an unknown filter", edited(lambda m: m["image"].update(resample="nearest")), "manifest.json: image.resample"),
    ("a token beyond the words", edited(lambda m: m["tokens"].update(end=12)), "manifest.json: .*outside"),
    ("one id for two tokens", edited(lambda m: m["tokens"].update(end=1)), "manifest.json: .*differ"),
    ("a required file unlisted", edited(lambda m: m["files"].pop("encoder.onnx")), "encoder.onnx: is not listed"),
    ("a hash that is none", edited(lambda m: m["files"]["encoder.onnx"].update(sha256="x")), "manifest.json: files"),
    ("a vocabulary too short", lambda b: rewrite_vocabulary(b, '["a"]'), "vocabulary.json: has 1 words"),
    ("a vocabulary of numbers", lambda b: rewrite_vocabulary(b, "[1, 2]"), "vocabulary.json: 0"),
    ("a vocabulary not JSON", lambda b: rewrite_vocabulary(b, "a b c"), "vocabulary.json: "),
    ("a word too long", lambda b: rewrite_vocabulary(b, json.dumps(["a" * 101])), "vocabulary.json: .*not a word"),
    ("a word of controls", lambda b: rewrite_vocabulary(b, json.dumps(["\x1b[2J"])), "vocabulary.json: .*not a word"),
    ("a word of spaces", lambda b: rewrite_vocabulary(b, json.dumps([" " * 60])), "vocabulary.json: .*not a word"),
    ("trigrams not compressed", lambda b: rewrite_trigrams(b, b"a b c"), "trigrams.bin: is not compressed"),
    ("trigrams without end", lambda b: rewrite_trigrams(b, zlib.compress(bytes(2**26))), "trigrams.bin: .*more than"),
    ("a word twice", lambda b: rewrite_vocabulary(b, json.dumps(["a"] * 12)), "vocabulary.json: .*twice"),
]


@pytest.mark.parametrize(("damage", "line"), [case[1:] for case in DAMAGES], ids=[case[0] for case in DAMAGES])
def test_a_damaged_bundle_is_refused_in_one_line(bundle: Path, damage: Damage, line: str) -> None:
    damage(bundle)

    with pytest.raises(BundleError) as refusal:
        load_bundle(bundle)

    assert re.search(line, str(refusal.value))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "name", ["../outside", "/etc/passwd", "a/../b", "a//b", "./a", ".", "", "a\\b", "manifest.json"]
)
def test_a_path_that_leads_elsewhere_refuses_the_bundle(bundle: Path, name: str) -> None:
    edit_manifest(bundle, lambda manifest: manifest["files"].update({name: manifest["files"]["encoder.onnx"]}))

    with pytest.raises(BundleError, match=r"manifest\.json: files"):
        load_bundle(bundle)


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="nowhere: no such directory"):
        load_bundle(tmp_path / "nowhere")


def test_a_file_changed_after_loading_is_not_handed_out(bundle: Path) -> None:
    loaded = load_bundle(bundle)
    flip_bit(bundle / "encoder.onnx")

    with pytest.raises(BundleError, match=r"encoder\.onnx: was changed"):
        loaded.read("encoder.onnx")


def test_digests_name_everything_but_the_manifest(tmp_path: Path) -> None:
    directory = write_tiny_bundle(tmp_path)
    (directory / "saved_model").mkdir()
    (directory / "saved_model" / "graph").write_bytes(b"abc")

    files = digest_files(directory)

    assert list(files) == sorted(files)
    assert "manifest.json" not in files
    assert files["saved_model/graph"] == file_entry(directory / "saved_model" / "graph")
    assert files["saved_model/graph"].size == 3
    assert files["saved_model/graph"].sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_bundle_that_is_replaced_while_it_is_loaded_is_read_again(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = shutil.copytree(bundle, tmp_path / "newer")
    (newer / "MODEL_CARD.md").write_text("newer")
    edit_manifest(newer, lambda manifest: manifest["files"].update({"MODEL_CARD.md": entry_of(newer)}))
    verify = bundle_module._verify_files

    def replace_once(path: Path, manifest: Manifest) -> None:
        if newer.exists():
            shutil.rmtree(bundle)
            newer.rename(bundle)
        verify(path, manifest)

    monkeypatch.setattr(bundle_module, "_verify_files", replace_once)

    assert load_bundle(bundle).card == "newer"


def entry_of(bundle: Path) -> dict[str, Any]:
    return file_entry(bundle / "MODEL_CARD.md").model_dump()
