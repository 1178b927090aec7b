"""The API page: examples that run as they stand against the inference service behind this page."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from frontend.presentation.examples import load_examples
from frontend.state import get_state

blueprint = Blueprint("developers", __name__)


@blueprint.get("/developers")
def show_api() -> ResponseReturnValue:
    """curl, Python and JavaScript for this very server."""
    return render_template("developers.html", base=get_state().settings.api_base, example=load_examples()[0])
