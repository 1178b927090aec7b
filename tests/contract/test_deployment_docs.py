"""docs/deployment.md names every variable of docker-compose.yml with its default, and every alert."""

import re
from pathlib import Path

import yaml

_ROOT = Path(__file__).parent.parent.parent
_DOCUMENT = (_ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")


def test_the_table_of_variables_is_that_of_the_file() -> None:
    used = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", (_ROOT / "docker-compose.yml").read_text(encoding="utf-8")))

    assert dict(re.findall(r"^\| `([A-Z_]+)` \| `(.*?)` \|", _DOCUMENT, re.MULTILINE)) == used


def test_what_to_do_is_said_for_every_alert() -> None:
    rules = yaml.safe_load((_ROOT / "services/monitoring/prometheus/alerts.yml").read_text(encoding="utf-8"))
    alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}

    assert set(re.findall(r"^\| `([A-Z][a-z]\w+)` \|", _DOCUMENT, re.MULTILINE)) == alerts
