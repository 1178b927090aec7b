"""What the frontend expects of the inference service is what a real inference process answers."""

import httpx
import pytest
from pydantic import AnyHttpUrl
from support.photos import photo_bytes
from support.service_process import ServiceProcess
from support.tiny_bundle import GRID

from frontend.inference.client import InferenceClient, Options
from frontend.inference.errors import RefusedError
from frontend.presentation.failures import FORMATS, explain
from frontend.settings import Settings
from frontend.views.options import MAX_ALTERNATIVES, MAX_BEAM_WIDTH


@pytest.fixture
def client(service: ServiceProcess) -> InferenceClient:
    return InferenceClient(Settings(inference_url=AnyHttpUrl(service.url)))


def test_a_caption_has_everything_that_the_page_shows(client: InferenceClient) -> None:
    caption = client.caption(photo_bytes("red"), Options(beam_width=3, alternatives=2, attention=True), "request-1")

    assert caption.alt_text == "A red square."
    assert [word.word for word in caption.words] == ["a", "red", "square"]
    assert caption.attention_grid is not None
    assert (caption.attention_grid.rows, caption.attention_grid.columns) == (GRID, GRID)
    assert all(sum(word.attention or ()) == pytest.approx(1, abs=0.01) for word in caption.words)
    assert caption.alternatives
    assert (caption.image.width, caption.image.height, caption.image.format) == (64, 64, "PNG")


def test_the_page_about_the_model_finds_its_facts(client: InferenceClient) -> None:
    assert client.model("request-2").name == "tiny"


def test_the_page_names_the_limits_of_the_service(service: ServiceProcess) -> None:
    limits = httpx.get(f"{service.url}/model").json()["limits"]

    assert (limits["max_beam_width"], limits["max_alternatives"]) == (MAX_BEAM_WIDTH, MAX_ALTERNATIVES)
    assert set(FORMATS.replace(" or ", ", ").split(", ")) <= set(limits["formats"])


@pytest.mark.parametrize(("photo", "status"), [(b"no photo", 415), (photo_bytes("red")[:150], 422)])
def test_a_refusal_comes_as_a_problem_that_the_page_can_tell(
    client: InferenceClient, photo: bytes, status: int
) -> None:
    with pytest.raises(RefusedError) as caught:
        client.caption(photo, Options(), "request-3")

    assert caught.value.problem.status == status
    assert caught.value.problem.detail


def test_a_photo_with_too_many_pixels_is_told_from_a_damaged_one(client: InferenceClient) -> None:
    with pytest.raises(RefusedError) as caught:
        client.caption(photo_bytes("red", size=(30_000, 8)), Options(), "request-4")

    assert explain(caught.value, max_bytes=1).headline == "This photo has too many pixels."
