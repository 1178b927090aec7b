"""Where captions go, as far as a run has to know."""

from typing import Literal

from photocaption.caption import Caption
from photocaption.cli.outcome import Outcome
from photocaption.cli.photo import Photo

Existing = Literal["skip", "replace", "append", "renew"]
EXISTING: tuple[Existing, ...] = ("skip", "replace", "append", "renew")


class DestinationError(Exception):
    """The captions cannot be written there, for a reason that holds for every photo."""


class Destination:
    """A table, text files beside the photos, or the photos themselves; threads share it. This one is nowhere."""

    def find(self, photo: Photo) -> Outcome | None:  # noqa: ARG002
        """What the photo came to before; None where it is to be captioned. Raises OSError."""
        return None

    def keep(self, photo: Photo, caption: Caption, author: str) -> bool:  # noqa: ARG002
        """Put a caption by this author beside or into the photo; False where it is there already. Raises OSError."""
        return True

    def note(self, outcome: Outcome) -> None:
        """Learn, in the order of the photos and in one thread, what became of each. Raises OSError."""
