"""The type of an adapter."""

from dataclasses import dataclass

from fastapi import APIRouter

from photocaption.api.openapi import Translate


@dataclass(frozen=True, slots=True)
class Adapter:
    """A protocol: the setting that enables it, its routes, and the translation of problems to its error format.

    `captioning`: paths that take photos, and are refused before the body is read while the queue is full. `prefix`: of
    all paths of the protocol, also of those that are not served, whose errors have its format too. `shared`: a path of
    the API that also takes the protocol's JSON; an error there has the members of both formats if it comes before the
    body is read.
    """

    setting: str
    router: APIRouter
    translate: Translate
    captioning: tuple[str, ...] = ()
    prefix: str | None = None
    shared: str | None = None
