"""docs/operations.md lists every setting of both services as the code has it."""

import re
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

import frontend.settings
import photocaption.serving.settings

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


def _write_default(field: FieldInfo) -> str:
    """The default as one would write it into the environment."""
    default = field.get_default()
    if default is None or default == ():
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"
