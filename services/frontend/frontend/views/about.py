"""About the model: what it is, how well it does, what it is good and bad at."""

from flask import Blueprint, current_app, render_template
from flask.typing import ResponseReturnValue

from frontend.inference.errors import InferenceError
from frontend.presentation.model_facts import arrange
from frontend.state import get_state
from frontend.web.request_log import current_request_id

blueprint = Blueprint("about", __name__)


@blueprint.get("/about")
def show_model() -> ResponseReturnValue:
    """The facts about the model; without them where the inference service is unreachable."""
    try:
        facts = arrange(get_state().client.model(current_request_id()))
    except InferenceError as error:
        current_app.logger.warning("no facts about the model: %s", error)
        facts = None
    return render_template("about.html", facts=facts)
