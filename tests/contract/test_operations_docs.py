"""docs/operations.md lists every setting of both services, and every metric, as the code has them."""

import re
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

import frontend.settings
import photocaption.serving.settings
from photocaption.serving.metrics import Metrics

_DOCUMENT = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("prefix", "settings"),
    [
        (photocaption.serving.settings.PREFIX, photocaption.serving.settings.Settings),
        (frontend.settings.PREFIX, frontend.settings.Settings),
    ],
)
def test_the_table_of_settings_is_that_of_the_code(prefix: str, settings: type[BaseSettings]) -> None:
    documented = re.findall(rf"^\| `({prefix}\w+)` \| (.*?) ?\| (.*) \|$", _DOCUMENT, re.MULTILINE)

    assert documented == [
        (prefix + name.upper(), _write_default(field), field.description)
        for name, field in settings.model_fields.items()
    ]


def test_the_table_of_metrics_is_that_of_the_code() -> None:
    _, _, table = _DOCUMENT.partition("| metric |")
    offered = set(re.findall(r"^# TYPE (caption_\w+)", Metrics().render().decode(), re.MULTILINE))

    assert set(re.findall(r"`(caption_\w+)`", table.partition("\n\n")[0])) == offered


def _write_default(field: FieldInfo) -> str:
    """The default as one would write it into the environment."""
    default = field.get_default()
    if default is None or default == ():
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"
