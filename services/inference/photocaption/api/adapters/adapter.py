"""What an adapter consists of."""

from dataclasses import dataclass

from fastapi import APIRouter

from photocaption.api.openapi import Translate


@dataclass(frozen=True, slots=True)
class Adapter:
    """One protocol: the setting that switches it, its routes, and a problem in its own form.

    `captioning` are the paths that take photos: refused while the queue is full, before a body is read. `prefix` begins
    every path of the protocol, those that are not served among them: its clients understand no other form of error.
    `shared` is a path of ours that takes the protocol's JSON too: what is refused there before its body tells whose it
    is has the members of both forms.
    """

    setting: str
    router: APIRouter
    translate: Translate
    captioning: tuple[str, ...] = ()
    prefix: str | None = None
    shared: str | None = None
