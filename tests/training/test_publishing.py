"""A bundle appears whole or not at all, and the old one survives whatever happens."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest
from support.tiny_bundle import write_tiny_bundle

from photocaption.model.bundle import load_bundle
from photocaption.model.manifest import MANIFEST_NAME, Manifest
from training.errors import PublishingError
from training.publish import publishing
from training.publish.publishing import publish, staging, write_manifest


def _build(folder: Path, version: str) -> None:
    """A bundle with a version of its own in an empty folder."""
    made = write_tiny_bundle(folder.parent / f"made-{version}")
    manifest = load_bundle(made).manifest.model_copy(update={"version": version})
    for path in made.iterdir():
        path.rename(folder / path.name)
    (folder / MANIFEST_NAME).unlink()
    write_manifest(folder, manifest)


def _publish(target: Path, version: str) -> None:
    with staging(target) as folder:
        _build(folder, version)
        publish(folder, target)


def _version(target: Path) -> str:
    return load_bundle(target).manifest.version


def test_a_bundle_is_published_and_then_replaced(tmp_path: Path) -> None:
    target = tmp_path / "bundles" / "mine"
    _publish(target, "1")
    assert _version(target) == "1"
    _publish(target, "2")

    assert _version(target) == "2"
    assert not [path for path in target.parent.iterdir() if path.name.startswith(".")]


def test_where_folders_cannot_be_exchanged_the_old_one_steps_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "_exchange", lambda *_: False)
    target = tmp_path / "mine"
    _publish(target, "1")
    _publish(target, "2")

    assert _version(target) == "2"
    assert [path.name for path in tmp_path.glob("*mine*")] == ["mine"]


def test_a_damaged_bundle_is_not_published(tmp_path: Path) -> None:
    target = tmp_path / "mine"
    _publish(target, "1")
    with staging(target) as folder:
        _build(folder, "2")
        (folder / "vocabulary.json").write_text("[]")
        with pytest.raises(PublishingError, match=r"vocabulary\.json"):
            publish(folder, target)

    assert _version(target) == "1"


def test_a_full_disk_leaves_the_old_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    target = tmp_path / "mine"
    _publish(target, "1")
    monkeypatch.setattr(os, "fsync", refuse)

    with pytest.raises(PublishingError, match="No space left"):
        _publish(target, "2")
    assert _version(target) == "1"


def test_a_kill_at_any_moment_leaves_a_whole_bundle(tmp_path: Path) -> None:
    target = tmp_path / "mine"
    _publish(target, "1")
    context = multiprocessing.get_context("spawn")
    for delay in range(6):
        before = _version(target)
        process = context.Process(target=_publish_for_ever, args=(target,), daemon=True)  # gone with us in any case
        process.start()
        limit = time.monotonic() + 60
        while _version(target) == before:  # it takes a while to start; whatever lies there meanwhile is whole
            assert time.monotonic() < limit
        time.sleep(0.03 * delay)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert _version(target)


def _publish_for_ever(target: Path) -> None:
    for number in range(1_000_000):
        with staging(target) as folder:
            _build(folder, f"{os.getpid()}-{number}")
            publish(folder, target)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(PublishingError, match="cannot write to"), staging(tmp_path / "file" / "mine"):
        pass


def test_the_manifest_lists_every_file(tmp_path: Path) -> None:
    with staging(tmp_path / "mine") as folder:
        _build(folder, "1")
        manifest = Manifest.model_validate_json((folder / MANIFEST_NAME).read_bytes())

        assert set(manifest.files) == {path.name for path in folder.iterdir()} - {MANIFEST_NAME}
