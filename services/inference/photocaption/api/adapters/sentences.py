"""Sentences for programs that show no confidence: hedged where the model is unsure."""

import asyncio
from collections.abc import Sequence
from functools import partial

from fastapi import Request

from photocaption.api import problems
from photocaption.api.access import charge_photos
from photocaption.api.disconnect import unless_disconnected
from photocaption.api.middleware.body_limit import held_bytes
from photocaption.api.problems import ProblemError
from photocaption.caption import CaptionOptions
from photocaption.model.manifest import Manifest
from photocaption.serving.service import Answer, CaptionService
from photocaption.serving.settings import Settings

TEXT_ONLY = "This model describes photos. Send one, and get a sentence about it."
HEDGE = "Perhaps: "
_DEFAULTS = CaptionOptions()


def name_model(manifest: Manifest) -> str:
    """What the model is called where a protocol has models with names."""
    return f"image-caption:{manifest.name}"


async def caption_photos(request: Request, service: CaptionService, photos: list[bytes]) -> list[Answer]:
    """An answer for each photo, in order. Raises the first one's problem when any has one: none is left out.

    `photos` is empty afterwards: each is held no longer than it takes to decode it.
    """
    count = len(photos)
    client = charge_photos(request, count)
    caption = partial(
        service.caption, options=_DEFAULTS, client=client, on_decoded=held_bytes(request.scope).release_after(count)
    )
    work = [caption(photos.pop(0), position=position) for position in range(count)]
    results = await unless_disconnected(request, asyncio.gather(*work, return_exceptions=True))
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if isinstance(result, Answer)]


def write_sentences(answers: Sequence[Answer], settings: Settings) -> str:
    """One sentence, or a numbered one a line for several photos; without photos, what may be sent."""
    sentences = [write_sentence(answer, settings) for answer in answers]
    if len(sentences) > 1:
        return "\n".join(f"Image {number}: {sentence}" for number, sentence in enumerate(sentences, 1))
    return sentences[0] if sentences else TEXT_ONLY


def write_sentence(answer: Answer, settings: Settings) -> str:
    """The sentence about a photo, put as the settings say where the model is unsure. Raises `ProblemError`.

    Doubt in words reduces misplaced trust among people who cannot see the photo (MacLeod et al., CHI 2017,
    10.1145/3025453.3025814).
    """
    sentence = answer.caption.alt_text
    if answer.caption.confidence >= settings.unsure_below or settings.unsure == "sentence":
        return sentence
    if settings.unsure == "refusal":
        raise ProblemError(problems.UNSURE, problems.UNSURE.example)
    return HEDGE + sentence
