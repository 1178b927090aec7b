"""About the model: what it is, how well it does, what it is good and bad at."""

from flask import Blueprint, current_app, render_template
from flask.typing import ResponseReturnValue

from frontend.errors import InferenceError
from frontend.model_facts import arrange
from frontend.request_log import current_request_id
from frontend.state import get_client

blueprint = Blueprint("about", __name__)


@blueprint.get("/about")
def show_model() -> ResponseReturnValue:
    """What inference tells about its model; the page stands without it when inference is away."""
    try:
        facts = arrange(get_client().model(current_request_id()))
    except InferenceError as error:
        current_app.logger.warning("no facts about the model: %s", error)
        facts = None
    return render_template("about.html", facts=facts)
