"""docs/operations.md lists every setting of the frontend as the code has it."""

import re
from pathlib import Path

from frontend.settings import Settings, variable_name

_DOCUMENT = Path(__file__).parents[2] / "docs" / "operations.md"


def test_the_table_of_settings_is_that_of_the_code() -> None:
    documented = re.findall(r"^\| `(FRONTEND_\w+)` \| (.*?) ?\| (.*) \|$", _DOCUMENT.read_text("utf-8"), re.MULTILINE)

    defaults = {name: field.get_default() for name, field in Settings.model_fields.items()}
    assert documented == [
        (variable_name(name), "" if defaults[name] is None else f"`{defaults[name]}`", field.description)
        for name, field in Settings.model_fields.items()
    ]
