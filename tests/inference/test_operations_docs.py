"""docs/operations.md lists every setting of the inference service as the code has it."""

import re
from pathlib import Path

from pydantic.fields import FieldInfo

from photocaption.serving.settings import Settings, variable_name

_DOCUMENT = Path(__file__).parents[2] / "docs" / "operations.md"


def format_default(field: FieldInfo) -> str:
    """The default as one would write it into the environment."""
    default = field.get_default()
    if default is None or default == ():
        return ""
    text = str(default).lower() if isinstance(default, bool) else str(default)
    return f"`{text}`"


def test_the_table_of_settings_is_that_of_the_code() -> None:
    documented = re.findall(
        r"^\| `(CAPTION_\w+)` \| (.*?) ?\| (.*) \|$", _DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE
    )

    expected = [
        (variable_name(name), format_default(field), field.description) for name, field in Settings.model_fields.items()
    ]
    assert documented == expected
