"""What the frontend promises about hostile pages, forms and texts."""

import io
import json
import re

import pytest
from flask.testing import FlaskClient
from support.fake_inference import Answer, FakeInference, make_caption, make_problem
from support.uploads import make_photo

from frontend.app import create_app
from frontend.settings import Settings

PAGES = ("/", "/about", "/developers", "/health", "/no-such-page")


@pytest.mark.parametrize("path", PAGES)
def test_every_response_carries_the_security_headers(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "Server" not in headers


@pytest.mark.parametrize("path", PAGES)
def test_the_policy_allows_nothing_inline_nothing_evaluated_and_no_other_host(client: FlaskClient, path: str) -> None:
    policy = client.get(path).headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "*" not in policy


@pytest.mark.parametrize("path", ["/", "/about", "/developers", "/no-such-page"])
def test_no_page_has_inline_scripts_or_styles(client: FlaskClient, path: str) -> None:
    page = client.get(path).text

    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
    assert re.findall(r"<style|\sstyle=|\son[a-z]+=|javascript:", page) == []


@pytest.mark.parametrize("path", ["/", "/api/caption"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": "localhost"},
        {"Origin": "http://localhost.evil.example"},
    ],
)
def test_posts_from_other_sites_are_refused(
    client: FlaskClient, inference: FakeInference, path: str, headers: dict[str, str]
) -> None:
    response = client.post(path, data=b"x", headers=headers)

    assert response.status_code == 403
    assert inference.received == []


@pytest.mark.parametrize(
    "headers", [{}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": "http://localhost"}]
)
def test_own_posts_and_those_of_no_browser_pass(client: FlaskClient, headers: dict[str, str]) -> None:
    assert client.post("/api/caption", data=b"x", headers=headers).status_code == 200


def test_links_from_other_sites_still_work(client: FlaskClient) -> None:
    assert client.get("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_names_and_captions_are_escaped(client: FlaskClient, inference: FakeInference) -> None:
    evil = '"><script>alert(1)</script>'
    caption = make_caption(alternatives=1) | {"caption": evil, "alt_text": evil}
    caption["alternatives"][0]["caption"] = evil
    inference.answers.append(Answer(body=json.dumps(caption).encode()))

    page = client.post("/", data={"photo": (io.BytesIO(make_photo()), "<script>alert(2).jpg")}).text

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_what_inference_says_about_a_failure_is_escaped(client: FlaskClient, inference: FakeInference) -> None:
    inference.answers.append(make_problem(422, "<img src=x onerror=alert(1)>"))

    page = client.post("/", data={"photo": (io.BytesIO(b"x"), "x.jpg")}).text

    assert "<img src=x" not in page


def test_an_internal_error_of_inference_is_not_shown(client: FlaskClient, inference: FakeInference) -> None:
    inference.answers.append(make_problem(500, "Traceback: secret path"))

    page = client.post("/", data={"photo": (io.BytesIO(b"x"), "x.jpg")}).text

    assert "secret path" not in page


def test_no_cookie_is_ever_set(client: FlaskClient) -> None:
    responses = [client.get(path) for path in PAGES] + [client.post("/", data={"example": "dog"})]

    assert not any("Set-Cookie" in response.headers for response in responses)


@pytest.mark.parametrize("path", ["../app.py", "..%2fapp.py", "%2e%2e/settings.py", "js/../../app.py"])
def test_static_files_cannot_be_climbed_out_of(client: FlaskClient, path: str) -> None:
    static = re.search(r'href="(/static/[0-9a-f]+)/style.css"', client.get("/").text)
    assert static

    assert client.get(f"{static[1]}/{path}").status_code == 404


def test_forwarded_headers_are_ignored_unless_a_proxy_is_trusted(client: FlaskClient) -> None:
    headers = {"Origin": "http://evil.example", "X-Forwarded-Host": "evil.example"}

    assert client.post("/api/caption", data=b"x", headers=headers).status_code == 403


def test_behind_a_trusted_proxy_the_public_host_counts(inference: FakeInference) -> None:
    settings = Settings.model_validate({"inference_url": inference.url, "trusted_proxies": 1})
    headers = {"Origin": "https://captions.example", "X-Forwarded-Host": "captions.example"}

    assert create_app(settings).test_client().post("/api/caption", data=b"x", headers=headers).status_code == 200
