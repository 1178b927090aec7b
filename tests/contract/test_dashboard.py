"""Grafana's dashboard is sound, and it and the alerts ask for metrics that the service has.

tests/e2e/compose/test_monitoring.py has a real Prometheus work out every expression.
"""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from photocaption.serving.metrics import Metrics

_MONITORING = Path(__file__).parents[2] / "deploy" / "monitoring"
_SUBJECTS = {
    "traffic": "caption_requests_total",
    "latency by stage": "caption_stage_seconds",
    "queue": "caption_queue_depth",
    "batch size": "caption_batch_size",
    "cache": "caption_cache_lookups_total",
    "rejections": "caption_rejections_total",
    "confidence distribution": "caption_confidence_bucket",
}


def read_panels() -> list[dict[str, Any]]:
    panels: list[dict[str, Any]] = json.loads((_MONITORING / "grafana/dashboards/captions.json").read_text())["panels"]
    return panels


def expressions() -> list[str]:
    alerts = yaml.safe_load((_MONITORING / "prometheus/alerts.yml").read_text())
    shown = [target["expr"] for panel in read_panels() for target in panel["targets"]]
    return shown + [rule["expr"] for group in alerts["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("expression", expressions())
def test_an_expression_asks_for_metrics_that_the_service_has(expression: str) -> None:
    asked = set(re.findall(r"\b(?:caption|process)_\w+", expression))
    offered = set(re.findall(r"^# TYPE (\w+)", Metrics().render().decode(), re.MULTILINE))

    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked} <= offered


@pytest.mark.parametrize("subject", _SUBJECTS)
def test_the_dashboard_shows(subject: str) -> None:
    assert any(_SUBJECTS[subject] in target["expr"] for panel in read_panels() for target in panel["targets"])


def test_every_panel_reads_from_the_source_that_is_provisioned() -> None:
    [source] = yaml.safe_load((_MONITORING / "grafana/datasources/prometheus.yml").read_text())["datasources"]

    assert {panel["datasource"]["uid"] for panel in read_panels()} == {source["uid"]}


def test_panels_have_ids_and_places_of_their_own() -> None:
    panels = read_panels()

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)
    assert not any(overlap(one["gridPos"], other["gridPos"]) for one, other in itertools.combinations(panels, 2))


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    """Whether two panels cover the same cell of the grid."""
    return all(
        one[at] < other[at] + other[size] and other[at] < one[at] + one[size] for at, size in (("x", "w"), ("y", "h"))
    )
