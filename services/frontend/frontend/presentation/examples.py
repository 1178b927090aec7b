"""The strip of example photos: freely licensed files that come with the package, each with its credit."""

from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter

FOLDER = Path(__file__).parents[1] / "static" / "examples"


class Example(BaseModel):
    """An example photo: `id` names `<id>.jpg` and its small `<id>-small.jpg`; `shows` says what a person sees."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    shows: str
    width: int
    height: int
    author: str
    licence: str
    source: str
    found_in: str

    @property
    def file_name(self) -> str:
        """Name of the photo's file in the folder."""
        return f"{self.id}.jpg"

    @property
    def small_file_name(self) -> str:
        """Name of the file for the strip, 240 pixels wide."""
        return f"{self.id}-small.jpg"


@cache
def load_examples() -> tuple[Example, ...]:
    """All examples, in the order of the strip."""
    catalogue = (FOLDER / "examples.json").read_bytes()
    return TypeAdapter(tuple[Example, ...]).validate_json(catalogue)


def find_example(example_id: str) -> Example | None:
    """The example with this id. Looked up, never made into a path."""
    return next((example for example in load_examples() if example.id == example_id), None)


def read_example(example: Example) -> bytes:
    """The bytes of the example's photo."""
    return (FOLDER / example.file_name).read_bytes()
