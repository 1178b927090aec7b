"""What the views share: the settings and the one client of the inference service, kept on the Flask application."""

from flask import current_app

from frontend.inference.client import InferenceClient
from frontend.settings import Settings

SETTINGS_KEY = "frontend_settings"
CLIENT_KEY = "frontend_inference_client"


def get_settings() -> Settings:
    """The settings of the application that answers this request."""
    settings: Settings = current_app.extensions[SETTINGS_KEY]
    return settings


def get_client() -> InferenceClient:
    """Its client of the inference service."""
    client: InferenceClient = current_app.extensions[CLIENT_KEY]
    return client
