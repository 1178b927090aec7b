"""The profile `monitoring`: a real Prometheus finds every replica, and dashboard and alerts ask for what is there."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml
from support.compose import ROOT, Stack
from support.container_engine import run_docker
from support.load import under_load
from support.photos import photo_bytes
from support.report import Report
from support.stand_ins import PROMETHEUS
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(1800)

_DASHBOARD = ROOT / "deploy/monitoring/grafana/dashboards/captions.json"
_RULES = ROOT / "deploy/monitoring/prometheus/alerts.yml"
_RULES_TEST = ROOT / "tests/e2e/compose/alerts_test.yml"
_INTERVAL = "1m"  # what Grafana would choose for $__rate_interval


@pytest.fixture(scope="module")
def monitored(stack: Stack) -> Iterator[Stack]:
    """The stack with two replicas and Prometheus, at work."""
    stack.scale(2)
    with stack.variables(COMPOSE_PROFILES="monitoring"):
        try:
            stack.compose("up", "--detach", "--no-build", "--no-recreate", "prometheus")
            stack.wait_until_healthy()
            wait_for(lambda: len(query(stack, "up == 1")) == 2, lambda: str(query(stack, "up")))
            with under_load(stack.api, clients=2):
                yield stack
        finally:
            stack.compose("rm", "--stop", "--force", "prometheus")


def query(stack: Stack, expression: str) -> list[dict[str, Any]]:
    """What an expression gives now; nothing while Prometheus does not answer yet."""
    try:
        answer = httpx.get(f"{stack.prometheus}/api/v1/query", params={"query": expression}).json()
    except httpx.TransportError:
        return []
    assert answer["status"] == "success", answer
    result: list[dict[str, Any]] = answer["data"]["result"]
    return result


def send_what_is_rare(stack: Stack) -> None:
    """A photo that is refused, and one that the cache knows: the load has neither."""
    httpx.post(f"{stack.api}/caption", content=b"no photo", headers={"Content-Type": "image/png"}, timeout=60)
    stack.caption(photo_bytes("red"))


def has_something_to_show(stack: Stack, expression: str) -> bool:
    send_what_is_rare(stack)  # again and again: a rate needs a growth between two readings
    return any(sample["value"][1] != "NaN" for sample in query(stack, expression))


def dashboard_expressions() -> list[str]:
    panels = json.loads(_DASHBOARD.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def metrics_of_the_alerts() -> list[str]:
    return sorted(set(re.findall(r"\bcaption_\w+", _RULES.read_text())))


def rules(stack: Stack) -> list[dict[str, Any]]:
    groups = httpx.get(f"{stack.prometheus}/api/v1/rules").json()["data"]["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_each_alert_fires_when_it_should_and_not_before(stack: Stack, report: Report) -> None:
    files = [argument for path in (_RULES, _RULES_TEST) for argument in ("--volume", f"{path}:/rules/{path.name}:ro")]
    program = ("--workdir", "/rules", "--entrypoint", "promtool", PROMETHEUS)

    run_docker("run", "--rm", *files, *program, "check", "rules", _RULES.name)
    run_docker("run", "--rm", *files, *program, "test", "rules", _RULES_TEST.name)

    [group] = yaml.safe_load(_RULES.read_text())["groups"]
    report.note(f"alerts: all {len(group['rules'])} hold with promtool's `check rules` and `test rules`")


def test_every_panel_of_the_dashboard_has_something_to_show(monitored: Stack, report: Report) -> None:
    for expression in dashboard_expressions():
        asked = expression.replace("$__rate_interval", _INTERVAL)
        wait_for(lambda asked=asked: has_something_to_show(monitored, asked), lambda asked=asked: asked)  # type: ignore[misc]

    report.note(f"dashboard: all {len(dashboard_expressions())} expressions gave data in a real Prometheus")


@pytest.mark.parametrize("metric", metrics_of_the_alerts())
def test_alerts_ask_for_metrics_that_are_there(monitored: Stack, metric: str) -> None:
    wait_for(lambda: has_something_to_show(monitored, metric), lambda: metric)


def test_every_alert_can_be_worked_out_and_none_is_firing(monitored: Stack) -> None:
    wait_for(lambda: {rule["health"] for rule in rules(monitored)} == {"ok"}, lambda: str(rules(monitored)))

    assert len(rules(monitored)) >= 5
    assert [rule["name"] for rule in rules(monitored) if rule["state"] == "firing"] == []


def test_prometheus_is_hardened_too(monitored: Stack) -> None:
    [prometheus] = monitored.containers("prometheus")
    status = prometheus.execute("cat", "/proc/1/status", user="65534").stdout

    assert "Uid:\t65534" in status
    assert "CapEff:\t0000000000000000" in status
