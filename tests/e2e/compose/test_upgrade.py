"""A new bundle under running replicas: taken up on a signal without losing a photo, or left alone when it is bad."""

import json
import shutil
from pathlib import Path

import pytest
from support.compose import Stack
from support.load import under_load
from support.photos import photo_bytes
from support.report import Report
from support.waiting import wait_for

from photocaption.model.bundle import load_bundle
from training.publish.publishing import publish, staging, write_manifest

pytestmark = pytest.mark.timeout(1800)


def publish_version(bundle: Path, version: str) -> None:
    """Put the same model with another version in the bundle's place, as training does."""
    manifest = load_bundle(bundle).manifest
    with staging(bundle) as folder:
        shutil.copytree(bundle, folder, dirs_exist_ok=True)
        write_manifest(folder, manifest.model_copy(update={"version": version}))
        publish(folder, bundle)


def served_versions(stack: Stack) -> list[str]:
    return [json.loads(replica.get("/model"))["version"] for replica in stack.containers("inference")]


def reload(stack: Stack) -> None:
    stack.compose("kill", "-s", "SIGHUP", "inference")


def test_a_new_bundle_is_taken_up_under_load_and_no_photo_is_lost(stack: Stack, report: Report) -> None:
    stack.scale(3)
    [old] = set(served_versions(stack))

    with under_load(stack.api) as load:
        publish_version(stack.artifacts / "default", "9.0.0")
        reload(stack)
        seconds = wait_for(lambda: served_versions(stack) == ["9.0.0"] * 3, lambda: str(served_versions(stack)))

    report.count(f"bundle replaced in 3 replicas under load, in {seconds:.1f} s", load)
    assert load.lost == []
    assert load.answered[old] > 0
    assert load.answered["9.0.0"] > 0


def test_a_damaged_bundle_leaves_the_old_model_serving_and_the_log_says_why(stack: Stack) -> None:
    stack.scale(1)
    bundle = stack.artifacts / "default"
    [old] = served_versions(stack)
    replica = stack.containers("inference")[0]
    good = (bundle / "encoder.onnx").read_bytes()

    (bundle / "encoder.onnx").write_bytes(good[:-1])
    reload(stack)
    wait_for(lambda: "not reloaded" in replica.log(), replica.log)
    caption = stack.caption(photo_bytes("red"))
    (bundle / "encoder.onnx").write_bytes(good)

    [complaint] = [line for line in replica.log().splitlines() if "not reloaded" in line]
    assert "encoder.onnx" in complaint
    assert caption["model"]["version"] == old
    assert replica.health == "healthy"


def test_another_bundle_is_served_after_a_change_of_one_variable(stack: Stack) -> None:
    shutil.copytree(stack.artifacts / "default", stack.artifacts / "other")
    publish_version(stack.artifacts / "other", "other-1")

    with stack.variables(BUNDLE="other"):
        stack.scale(1)
        versions = served_versions(stack)
    stack.scale(1)

    assert versions == ["other-1"]
    assert served_versions(stack) != versions
