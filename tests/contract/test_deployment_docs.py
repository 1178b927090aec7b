"""docs/deployment.md names all variables of docker-compose.yml, docs/operations.md all alerts and those of tracing."""

import re
from pathlib import Path

import yaml

_ROOT = Path(__file__).parent.parent.parent
_COMPOSE = (_ROOT / "docker-compose.yml").read_text(encoding="utf-8")
_DEPLOYMENT = (_ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
_OPERATIONS = (_ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def test_the_table_of_variables_is_that_of_the_file() -> None:
    used = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", _COMPOSE))

    assert dict(re.findall(r"^\| `([A-Z_]+)` \| (?:`(.*?)` )?\|", _DEPLOYMENT, re.MULTILINE)) == used


def test_the_variables_of_tracing_are_explained() -> None:
    code = [
        _ROOT / "services" / path
        for path in ("inference/photocaption/serving/tracing.py", "frontend/frontend/web/tracing.py")
    ]
    used = {
        name for text in (_COMPOSE, *(path.read_text() for path in code)) for name in re.findall(r"OTEL_[A-Z_]+", text)
    }

    assert used <= set(re.findall(r"^\| `(OTEL_\w+)` \|", _OPERATIONS, re.MULTILINE))


def test_what_to_do_is_said_for_every_alert() -> None:
    rules = yaml.safe_load((_ROOT / "deploy/monitoring/prometheus/alerts.yml").read_text(encoding="utf-8"))
    alerts = {rule["alert"]: rule["labels"]["severity"] for group in rules["groups"] for rule in group["rules"]}

    assert dict(re.findall(r"^\| `([A-Z][a-z]\w+)` \| (\w+) \|", _OPERATIONS, re.MULTILINE)) == alerts
