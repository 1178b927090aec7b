"""The monitoring profile: Prometheus finds every replica, and each panel of the dashboard has something to show."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.compose import ROOT, Stack
from support.load import under_load
from support.photos import photo_bytes
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(1800)

_DASHBOARD = ROOT / "services/monitoring/grafana/dashboards/captions.json"
_INTERVAL = "1m"  # what Grafana would choose for $__rate_interval


@pytest.fixture(scope="module")
def monitored(stack: Stack) -> Iterator[Stack]:
    """The stack with two replicas and Prometheus, after some work that includes a refusal."""
    stack.scale(2)
    with stack.variables(COMPOSE_PROFILES="monitoring"):
        try:
            stack.compose("up", "--detach", "--no-build", "--no-recreate", "prometheus")
            _collect(stack)
            yield stack
        finally:
            stack.compose("rm", "--stop", "--force", "prometheus")


def _collect(stack: Stack) -> None:
    """Have some work measured, a refusal and a caption from the cache among it; a rate needs two readings."""
    stack.wait_until_healthy()
    wait_for(lambda: len(query(stack, "up == 1")) == 2, lambda: str(query(stack, "up")))
    with under_load(stack.api):
        httpx.post(f"{stack.api}/caption", content=b"no photo", headers={"Content-Type": "image/png"})
        for _ in range(4):  # one replica sees the photo again
            stack.caption(photo_bytes("red"))
    wait_for(lambda: bool(query(stack, "rate(caption_rejections_total[1m])")), lambda: "no rate of rejections")


def query(stack: Stack, expression: str) -> list[dict[str, Any]]:
    """What an expression gives now; nothing while Prometheus does not answer yet."""
    try:
        answer = httpx.get(f"{stack.prometheus}/api/v1/query", params={"query": expression}).json()
    except httpx.TransportError:
        return []
    assert answer["status"] == "success", answer
    result: list[dict[str, Any]] = answer["data"]["result"]
    return result


def dashboard_expressions() -> list[str]:
    panels = json.loads(_DASHBOARD.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


@pytest.mark.parametrize("expression", dashboard_expressions())
def test_every_panel_of_the_dashboard_has_something_to_show(monitored: Stack, expression: str) -> None:
    assert query(monitored, expression.replace("$__rate_interval", _INTERVAL))


def test_the_alerts_are_valid_and_none_is_firing(monitored: Stack) -> None:
    groups = httpx.get(f"{monitored.prometheus}/api/v1/rules").json()["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]

    assert len(rules) >= 5
    assert {rule["health"] for rule in rules} <= {"ok", "unknown"}
    assert [rule["name"] for rule in rules if rule["state"] == "firing"] == []


def test_prometheus_is_hardened_too(monitored: Stack) -> None:
    [prometheus] = monitored.containers("prometheus")
    status = prometheus.execute("cat", "/proc/1/status", user="65534").stdout

    assert "Uid:\t65534" in status
    assert "CapEff:\t0000000000000000" in status
