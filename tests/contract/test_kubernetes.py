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
from photocaption.serving.metrics import Metrics
from photocaption.serving.settings import Settings as InferenceSettings

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

    assert named | {"kustomization.yaml"} == {path.name for path in _MANIFESTS.iterdir() if path.is_file()}


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


def read_batch() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The Ray job, and the pods of its head and of its workers."""
    job = yaml.safe_load((_MANIFESTS / "batch" / "job.yaml").read_text())
    cluster = job["spec"]["rayClusterSpec"]
    return job, [group["template"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]


def test_the_pods_of_the_batch_job_are_valid_and_can_change_nothing_but_their_volumes() -> None:
    dockerfile = (_ROOT / "services" / "batch" / "Dockerfile").read_text()
    [user] = re.findall(r"^USER (\d+)", dockerfile, re.MULTILINE)
    _, templates = read_batch()

    for template in templates:
        pod = {"apiVersion": "v1", "kind": "Pod", **template, "metadata": {"name": "ray", **template["metadata"]}}
        kubernetes_validate.validate(pod, kubernetes_validate.latest_version(), strict=True)
        [container] = template["spec"]["containers"]
        assert template["spec"]["securityContext"]["runAsUser"] == int(user)
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_the_batch_job_runs_the_ray_that_its_image_has_and_the_program_that_there_is() -> None:
    job, _ = read_batch()
    pins = (_ROOT / "services" / "batch" / "requirements.txt").read_text()
    program, *options = job["spec"]["entrypoint"].removeprefix("python -m ").split()

    assert f"\nray=={job['spec']['rayClusterSpec']['rayVersion']} " in pins
    assert (_ROOT / "services" / "batch" / program / "__main__.py").exists()
    assert "--output" in options


def test_the_policy_of_the_batch_job_is_valid_and_for_its_pods() -> None:
    policy = yaml.safe_load((_MANIFESTS / "batch" / "network.yaml").read_text())
    _, templates = read_batch()

    kubernetes_validate.validate(policy, kubernetes_validate.latest_version(), strict=True)
    assert all(template["metadata"]["labels"] == policy["spec"]["podSelector"]["matchLabels"] for template in templates)
