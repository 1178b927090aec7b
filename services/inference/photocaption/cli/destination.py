"""The interface of places that captions are written to."""

from typing import Literal

from photocaption.caption import Caption
from photocaption.cli.outcome import Outcome
from photocaption.cli.photo import Photo

Existing = Literal["skip", "replace", "append", "renew"]
EXISTING: tuple[Existing, ...] = ("skip", "replace", "append", "renew")


class DestinationError(Exception):
    """The captions cannot be written there, for a reason that holds for every photo."""


class Destination:
    """A table, text files beside the photos, or the photos themselves; threads share it. This one writes nothing."""

    def find(self, photo: Photo) -> Outcome | None:  # noqa: ARG002
        """The outcome of the photo in an earlier run; None where it is to be captioned. Raises OSError."""
        return None

    def keep(self, photo: Photo, caption: Caption, author: str) -> bool:  # noqa: ARG002
        """Put a caption by this author beside or into the photo; False where it is there already. Raises OSError."""
        return True

    def note(self, outcome: Outcome) -> None:
        """Record an outcome; called in the order of the photos, by one thread. Raises OSError."""
