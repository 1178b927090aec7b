"""The Kubernetes manifests: sound by Kubernetes's own schemas, and at one with the images and the settings."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from frontend.settings import Settings as FrontendSettings
from inference.serving.metrics import Metrics
from inference.serving.settings import Settings as InferenceSettings

_ROOT = Path(__file__).parent.parent.parent
_MANIFESTS = _ROOT / "deploy" / "kubernetes"
_SETTINGS: dict[str, set[str]] = {
    "inference": {f"CAPTION_{name}".upper() for name in InferenceSettings.model_fields},
    "frontend": {f"FRONTEND_{name}".upper() for name in FrontendSettings.model_fields},
}


def read_objects() -> list[dict[str, Any]]:
    """Everything that the kustomization names."""
    names = yaml.safe_load((_MANIFESTS / "kustomization.yaml").read_text())["resources"]
    return [document for name in names for document in yaml.safe_load_all((_MANIFESTS / name).read_text())]


def find_object(kind: str, name: str) -> dict[str, Any]:
    [found] = [it for it in read_objects() if (it["kind"], it["metadata"]["name"]) == (kind, name)]
    return found


def find_pod(service: str) -> dict[str, Any]:
    pod: dict[str, Any] = find_object("Deployment", service)["spec"]["template"]["spec"]
    return pod


@pytest.mark.parametrize("manifest", read_objects(), ids=lambda it: f"{it['kind']} {it['metadata']['name']}")
def test_a_manifest_is_valid_by_the_schema_of_its_kind(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


def test_the_kustomization_names_every_file() -> None:
    named = set(yaml.safe_load((_MANIFESTS / "kustomization.yaml").read_text())["resources"])

    assert named | {"kustomization.yaml"} == {path.name for path in _MANIFESTS.iterdir()}


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kustomize_builds_all_of_it() -> None:
    built = subprocess.run(["kubectl", "kustomize", _MANIFESTS], check=True, capture_output=True, text=True).stdout

    assert len(list(yaml.safe_load_all(built))) == len(read_objects())


@pytest.mark.parametrize("service", ["inference", "frontend"])
def test_a_pod_runs_as_the_user_of_its_image_and_knows_only_settings_that_exist(service: str) -> None:
    pod = find_pod(service)
    dockerfile = (_ROOT / "services" / service / "Dockerfile").read_text()
    user = re.search(r"^USER (\d+)", dockerfile, re.MULTILINE)

    assert user is not None
    assert pod["securityContext"]["runAsUser"] == int(user[1])
    assert {variable["name"] for variable in pod["containers"][0]["env"]} <= _SETTINGS[service]


def test_a_pod_is_given_the_time_that_it_takes_to_drain() -> None:
    pod = find_pod("inference")
    pause = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]

    assert pod["terminationGracePeriodSeconds"] > pause + InferenceSettings().drain_seconds


def test_the_autoscaler_follows_a_queue_that_the_service_tells_of() -> None:
    [metric] = find_object("HorizontalPodAutoscaler", "inference")["spec"]["metrics"]
    target = metric["pods"]

    assert f"\n{target['metric']['name']} " in Metrics().render().decode()
    assert 0 < int(target["target"]["averageValue"]) < InferenceSettings().queue_size


@pytest.mark.parametrize("service", ["inference", "frontend"])
def test_a_node_that_is_emptied_leaves_the_service_there(service: str) -> None:
    budget = find_object("PodDisruptionBudget", service)["spec"]
    deployment = find_object("Deployment", service)["spec"]

    assert budget["selector"] == deployment["selector"]
    assert budget["maxUnavailable"] < deployment["replicas"]


def test_nobody_may_talk_unless_a_policy_says_so_and_inference_has_no_way_out() -> None:
    everyone = find_object("NetworkPolicy", "nothing")["spec"]

    assert everyone == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert "egress" not in find_object("NetworkPolicy", "inference")["spec"]
