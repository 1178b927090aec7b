"""What the containers may do, as the files say that start them; `make test-compose` looks at containers that run."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

_ROOT = Path(__file__).parents[2]
_SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((_ROOT / "docker-compose.yml").read_text())["services"]
_PODS = [
    manifest
    for path in sorted((_ROOT / "deploy" / "kubernetes").glob("*.yaml"))
    for manifest in yaml.safe_load_all(path.read_text())
    if manifest["kind"] == "Deployment"
]


@pytest.mark.parametrize("service", _SERVICES)
def test_a_service_can_change_nothing_and_has_no_capability(service: str) -> None:
    hardened = _SERVICES[service]

    assert hardened["read_only"] is True
    assert hardened["cap_drop"] == ["ALL"]
    assert "cap_add" not in hardened
    assert "privileged" not in hardened
    assert hardened["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("pod", _PODS, ids=lambda pod: pod["metadata"]["name"])
def test_a_pod_can_change_nothing_and_has_no_capability(pod: dict[str, Any]) -> None:
    containers = pod["spec"]["template"]["spec"]["containers"]

    assert containers
    for container in containers:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


@pytest.mark.parametrize("dockerfile", ["services/inference", "services/frontend", "services/batch", "training"])
def test_an_image_of_ours_does_not_run_as_root(dockerfile: str) -> None:
    [user] = re.findall(r"^USER (\d+):(\d+)$", (_ROOT / dockerfile / "Dockerfile").read_text(), re.MULTILINE)

    assert all(int(number) > 0 for number in user)
