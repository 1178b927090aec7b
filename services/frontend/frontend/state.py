"""State that the views share, on the Flask application."""

from dataclasses import dataclass

from flask import current_app

from frontend.inference.client import InferenceClient
from frontend.settings import Settings
from frontend.web.slots import Slots

STATE_KEY = "frontend"


@dataclass(frozen=True, slots=True)
class State:
    """The settings, the one client of the inference service, and slots for forms that are captioned one after the
    other, and hold a thread while they wait.
    """

    settings: Settings
    client: InferenceClient
    large_forms: Slots


def get_state() -> State:
    """The state of the application that answers this request."""
    state: State = current_app.extensions[STATE_KEY]
    return state
