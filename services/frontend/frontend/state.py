"""What the views share, kept on the Flask application: the settings, the one client of the inference service, and the
slots for large forms.
"""

from flask import current_app

from frontend.inference.client import InferenceClient
from frontend.settings import Settings
from frontend.web.slots import Slots

SETTINGS_KEY = "frontend_settings"
CLIENT_KEY = "frontend_inference_client"
LARGE_FORMS_KEY = "frontend_large_forms"


def get_settings() -> Settings:
    """The settings of the application that answers this request."""
    settings: Settings = current_app.extensions[SETTINGS_KEY]
    return settings


def get_client() -> InferenceClient:
    """Its client of the inference service."""
    client: InferenceClient = current_app.extensions[CLIENT_KEY]
    return client


def get_large_forms() -> Slots:
    """For forms that are captioned one after the other, and hold a thread while they wait."""
    slots: Slots = current_app.extensions[LARGE_FORMS_KEY]
    return slots
