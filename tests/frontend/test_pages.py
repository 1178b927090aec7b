"""About, API, health, errors, compression and caching."""

import gzip
import re
import time

import pytest
from flask.testing import FlaskClient
from support.fake_inference import Answer, FakeInference

from frontend.inference.contract import ModelFacts
from frontend.presentation.model_facts import arrange


def test_about_shows_what_inference_tells_about_its_model(client: FlaskClient) -> None:
    page = client.get("/about").text

    assert "3,477 words" in page
    assert "299 by 299 pixels" in page
    assert "51.4" in page
    assert "<h4>Limits and biases</h4>" in page
    assert "<td>49.4</td>" in page  # of the card


def test_scores_are_named_in_plain_words() -> None:
    figures = {"greedy": {"CIDEr": 59.2}, "beam": {"CIDEr": 61.9}}

    facts = arrange(ModelFacts(name="x", version="1", scores={"dev": figures, "everyday_dev": figures}))

    assert [(way.name, way.figures[-1]) for way in facts.scores] == [
        ("Tuning photos, as served", "61.9"),
        ("Tuning photos, the quick way", "59.2"),
        ("Everyday tuning photos, as served", "61.9"),
        ("Everyday tuning photos, the quick way", "59.2"),
    ]


def test_about_takes_what_the_model_is_good_and_bad_at_from_its_card(client: FlaskClient) -> None:
    page = client.get("/about").text
    good, bad = page.index("What it is good at"), page.index("What it is bad at")

    assert good < page.index("Drafts of alt text.") < bad < page.index("It cannot read text.")
    assert "rare in the photos" not in page


def test_about_says_what_such_models_are_bad_at_where_the_card_does_not() -> None:
    facts = arrange(ModelFacts(name="x", version="1", card="# Model card\n\nNothing.\n"))

    assert (facts.use, facts.limits) == ("", "")


def test_a_card_without_end_is_shown_in_part_and_read_once() -> None:
    table = "|a" * 2_000 + "|\n" + "|-" * 2_000 + "|\n" + ("|a" * 2_000 + "|\n") * 500
    facts = ModelFacts(name="x", version="1", card=table, scores={str(n): {"beam": {}} for n in range(10_000)})
    begun = time.process_time()

    shown = [arrange(facts) for _ in range(20)]

    assert time.process_time() - begun < 4
    assert len(shown[0].scores) == 20


@pytest.mark.parametrize(
    "card", ["<script>alert(1)</script>", "[x](javascript:alert(1))", "![x](https://evil.example/x.png)"]
)
def test_a_model_card_is_text_and_nothing_else(card: str) -> None:
    html = arrange(ModelFacts(name="x", version="1", card=card)).card

    assert "<script" not in html
    assert 'href="javascript' not in html
    assert "<img" not in html


def test_about_stands_without_inference(client: FlaskClient, inference: FakeInference) -> None:
    inference.answers.extend([Answer(hang_up=True)] * 2)

    response = client.get("/about")

    assert response.status_code == 200
    assert "rare in the photos" in response.text
    assert "be reached right now" in response.text


def test_facts_leave_out_what_inference_leaves_out() -> None:
    facts = arrange(ModelFacts.model_validate({"name": "small", "version": "2", "scores": {"dev": "n/a"}}))

    assert facts.rows == (("Model", "small"), ("Version", "2"))
    assert facts.scores == ()


@pytest.mark.parametrize("score", [10**400, float("nan"), None])
def test_a_score_that_is_none_does_not_keep_the_page_away(score: object) -> None:
    scores = {"dev": {"beam": {"CIDEr": score}}}

    facts = arrange(ModelFacts.model_validate({"name": "small", "version": "2", "scores": scores}))

    assert facts.scores[0].figures == ("n/a",) * 5


def test_api_page_has_examples_for_this_very_server(client: FlaskClient, inference: FakeInference) -> None:
    page = client.get("/developers").text

    assert f"curl -F image=@photo.jpg {inference.url}/caption" in page
    assert f"requests.post(&#34;{inference.url}/caption&#34;" in page
    assert f"fetch(&#34;{inference.url}/caption&#34;" in page


def test_health_needs_no_inference(client: FlaskClient, inference: FakeInference) -> None:
    assert client.get("/health").get_json() == {"status": "ok"}
    assert inference.received == []


def test_an_unknown_address_gets_a_page(client: FlaskClient) -> None:
    response = client.get("/no-such-page")

    assert response.status_code == 404
    assert "There is no such page." in response.text


def test_text_is_compressed_for_those_who_take_it(client: FlaskClient) -> None:
    plain = client.get("/").text
    response = client.get("/", headers={"Accept-Encoding": "gzip"})

    assert response.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in response.headers["Vary"]
    assert gzip.decompress(response.data).decode() == plain


def test_static_files_are_kept_for_ever_and_have_their_content_in_the_address(client: FlaskClient) -> None:
    [style] = re.findall(r'href="(/static/[0-9a-f]{12}/style\.css)"', client.get("/").text)

    with client.get(style, headers={"Accept-Encoding": "gzip"}) as response:
        assert response.status_code == 200
        assert "max-age=31536000" in response.headers["Cache-Control"]
        assert response.headers["Content-Encoding"] == "gzip"


@pytest.mark.parametrize("path", ["/", "/about", "/developers"])
def test_pages_are_not_cached(client: FlaskClient, path: str) -> None:
    assert client.get(path).headers["Cache-Control"] == "no-store"
