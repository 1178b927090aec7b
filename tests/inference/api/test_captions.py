"""`/caption` and `/captions`: what goes in, what comes out, and what is refused."""

import asyncio
import base64
import gc
import hashlib
import tracemalloc
from collections.abc import AsyncIterator

import httpx
import pytest
from support.gated_captioner import GatedCaptioner
from support.photos import photo_bytes
from support.problems import check_problem
from support.serving import Serve

pytestmark = pytest.mark.anyio

RED = photo_bytes("red")
BLUE = photo_bytes("blue", "JPEG", size=(120, 80))
PNG = {"Content-Type": "image/png"}
FORM = {"Content-Type": "multipart/form-data; boundary=x"}


def parts(*photos: bytes, name: str = "image") -> list[tuple[str, tuple[str, bytes]]]:
    return [(name, ("photo", photo)) for photo in photos]


async def test_a_multipart_photo_gets_every_field_of_the_contract(client: httpx.AsyncClient) -> None:
    response = await client.post("/caption", files=parts(BLUE))

    assert response.status_code == 200
    body = response.json()
    assert set(body) == {
        "caption", "alt_text", "confidence", "alternatives", "words", "image", "model", "timings_ms",
    }  # fmt: skip
    assert body["caption"] == "a blue square"
    assert body["alt_text"] == "A blue square."
    assert 0 < body["confidence"] <= 1
    assert body["alternatives"] == []
    assert [word["word"] for word in body["words"]] == ["a", "blue", "square"]
    assert all(0 < word["probability"] <= 1 for word in body["words"])
    sha256 = hashlib.sha256(BLUE).hexdigest()
    assert body["image"] == {"width": 120, "height": 80, "format": "JPEG", "sha256": sha256}
    assert body["model"] == {"name": "tiny", "version": "0.0.1"}
    assert set(body["timings_ms"]) == {"queue", "decode", "encode", "generate", "total"}


@pytest.mark.parametrize("path", ["/caption", "/captions", "/phanpy", "/api/generate"])
async def test_what_is_refused_is_let_go_of_at_once(client: httpx.AsyncClient, path: str) -> None:
    photo = b"\xff\xd8\xff" + bytes(4 * 2**20)
    form = b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\n' + photo + b"\r\n--x--\r\n"
    in_json = b'{"images": ["' + base64.b64encode(photo) + b'"]}'
    body, headers = (in_json, {"Content-Type": "application/json"}) if path == "/api/generate" else (form, FORM)
    gc.disable()
    tracemalloc.start()
    try:
        for _ in range(6):
            await client.post(path, content=body, headers=headers)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()

    assert held < 2 * len(photo)


@pytest.mark.parametrize("content_type", ["image/png", "image/jpeg", "IMAGE/X-whatever; a=b"])
async def test_raw_bytes_are_judged_by_content_not_by_header(client: httpx.AsyncClient, content_type: str) -> None:
    response = await client.post("/caption", content=RED, headers={"Content-Type": content_type})

    assert response.status_code == 200
    assert response.json()["caption"] == "a red square"
    assert response.json()["image"]["format"] == "PNG"


async def test_alternatives_come_on_request_best_first(client: httpx.AsyncClient) -> None:
    response = await client.post("/caption?alternatives=2&beam_width=5", content=RED, headers=PNG)

    alternatives = response.json()["alternatives"]
    assert len(alternatives) == 2
    assert all(set(each) == {"caption", "alt_text", "confidence", "log_probability"} for each in alternatives)
    assert "a red square" not in [each["caption"] for each in alternatives]


async def test_attention_comes_on_request_with_the_shape_of_its_grid(client: httpx.AsyncClient) -> None:
    response = await client.post("/caption?attention=true", content=RED, headers=PNG)

    body = response.json()
    assert body["attention_grid"] == {"rows": 4, "columns": 4}
    for word in body["words"]:
        assert len(word["attention"]) == 16
        assert sum(word["attention"]) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("beam_width=0", "beam_width"),
        ("beam_width=11", "beam_width"),
        ("beam_width=wide", "beam_width"),
        ("alternatives=-1", "alternatives"),
        ("alternatives=11", "alternatives"),
        ("attention=perhaps", "attention"),
    ],
)
async def test_a_wrong_parameter_is_named(client: httpx.AsyncClient, query: str, parameter: str) -> None:
    response = await client.post(f"/caption?{query}", content=RED, headers=PNG)

    assert check_problem(response, 400, "invalid-parameter")["detail"].startswith(f"{parameter}: ")


async def test_an_unknown_parameter_is_told_those_that_there_are(client: httpx.AsyncClient) -> None:
    response = await client.post("/caption?beamwidth=3", content=RED, headers=PNG)

    detail = "beamwidth: there is no such parameter; there are beam_width, alternatives, attention."
    assert check_problem(response, 400, "invalid-parameter")["detail"] == detail


async def test_of_very_many_wrong_parameters_a_few_are_named(client: httpx.AsyncClient) -> None:
    response = await client.post(f"/caption?{'&'.join(map(str, range(1000)))}", content=RED, headers=PNG)

    detail = check_problem(response, 400, "invalid-parameter")["detail"]
    assert detail.startswith("0: there is no such parameter")
    assert detail.endswith("; and 997 more.")


@pytest.mark.parametrize("name", ["file", "photo"])
async def test_a_part_may_have_the_name_that_other_programs_give_it(client: httpx.AsyncClient, name: str) -> None:
    response = await client.post("/caption", files=parts(RED, name=name))

    assert response.json()["caption"] == "a red square"


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "application/octet-stream"}])
async def test_bytes_without_a_type_are_judged_by_content(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    photo = await client.post("/caption", content=RED, headers=headers)
    text = await client.post("/caption", content=b"no photo", headers=headers)

    assert photo.json()["caption"] == "a red square"
    check_problem(text, 415, "unsupported-type")


@pytest.mark.parametrize("head", ["", "data:image/png;base64,"])
async def test_a_photo_may_come_as_json(client: httpx.AsyncClient, head: str) -> None:
    body = {"image": head + base64.b64encode(RED).decode()}

    response = await client.post("/caption?alternatives=1", json=body)

    assert response.json()["caption"] == "a red square"
    assert len(response.json()["alternatives"]) == 1


@pytest.mark.parametrize(("body", "named"), [({}, "'image' is missing"), ({"image": "é"}, "base64")])
async def test_json_without_a_photo_is_refused(client: httpx.AsyncClient, body: dict[str, object], named: str) -> None:
    response = await client.post("/caption", json=body)

    assert named in check_problem(response, 400, "malformed-request")["detail"]


async def test_json_of_another_shape_is_refused_in_both_forms_that_it_may_be_of(client: httpx.AsyncClient) -> None:
    response = await client.post("/caption", json={"image": 1})

    problem = check_problem(response, 400, "malformed-request", beside=("id", "code", "error"))
    assert "image: input should be a valid string" in problem["detail"]


async def test_a_missing_part_is_named(client: httpx.AsyncClient) -> None:
    response = await client.post("/caption", files=parts(RED, name="picture"))

    assert "'image' is missing" in check_problem(response, 400, "malformed-request")["detail"]


def form(*parts: bytes, before: bytes = b"", boundary: bytes = b"x", after: bytes = b"") -> bytes:
    """A multipart body, part by part: headers, an empty line, content."""
    return before + b"".join(b"--%b\r\n%b\r\n" % (boundary, part) for part in parts) + b"--%b--\r\n" % boundary + after


@pytest.mark.parametrize("photo", [RED, photo_bytes("red", "JPEG") + bytes(20_000)], ids=["short", "long"])
@pytest.mark.parametrize(
    "more",
    [
        b"; filename*=UTF-8''d%C3%B6g.png",
        b"; FileName*=UTF-8''a.png",
        b'; filename*0="a"; filename*1=".png"',
        b"",
        b"\r\nContent-Type: image/png",
        b"\r\nContent-Type: application/octet-stream",
        b'; filename=""',
        b"; filename=a.png; filename*=UTF-8''b.png",
    ],
)
async def test_a_photo_needs_no_plain_filename(client: httpx.AsyncClient, more: bytes, photo: bytes) -> None:
    part = b'Content-Disposition: form-data; name="file"%b\r\n\r\n%b' % (more, photo)

    response = await client.post("/caption", content=form(part), headers=FORM)

    assert response.json()["caption"] == "a red square"


@pytest.mark.parametrize("text", [b"", b"photo.jpg", b"x" * 5_000])
@pytest.mark.parametrize("name", ["image", "file", "photo"])
async def test_a_text_is_no_photo_however_long_it_is(client: httpx.AsyncClient, name: str, text: bytes) -> None:
    response = await client.post("/caption", files={name: (None, text)})

    assert "is not a file but text" in check_problem(response, 400, "malformed-request")["detail"]


async def test_other_fields_are_texts_and_bounded(client: httpx.AsyncClient) -> None:
    short = await client.post("/caption", files=[*parts(RED), ("note", (None, b"x" * 4_000))])
    long = await client.post("/caption", files=[*parts(RED), ("note", (None, b"x" * 5_000))])

    assert short.json()["caption"] == "a red square"
    assert "4KB" in check_problem(long, 400, "malformed-request")["detail"]


PREAMBLES = [
    b"\r\n", b"A message in MIME format.\r\n", b"--\r\n", b"--y\r\n", b" --x\r\n", b"-\r\n-\r\n", b"\r\n-\r\n--\r\n",
    b"\n--x\r\n", b"x" * 900 + b"\r\n", b"\r\n" * 900,
]  # fmt: skip


@pytest.mark.parametrize("preamble", PREAMBLES)
@pytest.mark.parametrize("piece", [1, 7, 10**6])
async def test_what_stands_before_the_first_boundary_is_not_looked_at(
    client: httpx.AsyncClient, preamble: bytes, piece: int
) -> None:
    part = b"Content-Disposition: form-data; name=image; filename=a\r\n\r\n" + RED
    whole = form(part, before=preamble, after=b"and after it")

    async def send() -> AsyncIterator[bytes]:
        for begin in range(0, len(whole), piece):
            yield whole[begin : begin + piece]

    response = await client.post("/caption", content=send(), headers=FORM)

    assert response.json()["caption"] == "a red square"


async def test_two_photos_are_one_too_many(client: httpx.AsyncClient) -> None:
    response = await client.post("/caption", files=parts(RED, BLUE))

    assert "at most 1 file" in check_problem(response, 400, "malformed-request")["detail"]


@pytest.mark.parametrize("files", [parts(b""), None])
async def test_an_empty_photo_is_refused(client: httpx.AsyncClient, files: list[tuple[str, tuple[str, bytes]]]) -> None:
    response = await client.post("/caption", files=files, headers=None if files else PNG)

    assert "0 bytes" in check_problem(response, 400, "malformed-request")["detail"]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", RED),
        ("multipart/form-data; boundary=x", RED),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n" + RED + b"\r\n--x--\r\n"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n' + RED,
        ),
        (
            "multipart/form-data; boundary=x; charset=punycode",
            b'--x\r\nContent-Disposition: form-data; name="\xff-\xff"\r\n',
        ),
        (
            "multipart/form-data; boundary=x; charset=undefined",
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n',
        ),
        ("multipart/form-data; boundary=" + "x" * 300, RED),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 5000),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"A: b\r\n" * 5000),
        ("multipart/form-data; boundary=x", b"--x\r\nA: " + b"b" * 100_000),
    ],
)
async def test_a_malformed_multipart_body_is_refused(client: httpx.AsyncClient, content_type: str, body: bytes) -> None:
    response = await client.post("/caption", content=body, headers={"Content-Type": content_type})

    check_problem(response, 400, "malformed-request")


@pytest.mark.parametrize("content_type", ["text/plain", "application/pdf", "application/x-www-form-urlencoded"])
async def test_another_content_type_is_refused_with_what_would_do(client: httpx.AsyncClient, content_type: str) -> None:
    response = await client.post("/caption", content=RED, headers={"Content-Type": content_type})

    assert "image content type" in check_problem(response, 415, "unsupported-type")["detail"]


async def test_a_compressed_body_is_refused(client: httpx.AsyncClient) -> None:
    response = await client.post("/caption", content=RED, headers=PNG | {"Content-Encoding": "gzip"})

    assert "Compressed" in check_problem(response, 415, "unsupported-type")["detail"]


async def test_what_is_no_image_is_refused_whatever_its_header_says(client: httpx.AsyncClient) -> None:
    response = await client.post("/caption", content=b"<svg/>", headers=PNG)

    check_problem(response, 415, "unsupported-type")


async def test_a_truncated_photo_cannot_be_decoded(client: httpx.AsyncClient) -> None:
    response = await client.post("/caption", content=RED[:60], headers=PNG)

    check_problem(response, 422, "undecodable-image")


async def test_several_photos_get_a_result_or_a_problem_each_in_order(client: httpx.AsyncClient) -> None:
    response = await client.post("/captions", files=parts(RED, b"no photo", b"", BLUE))

    assert response.status_code == 200
    first, second, third, fourth = response.json()["results"]
    assert first["result"]["caption"] == "a red square"
    assert second["problem"]["status"] == 415
    assert third["problem"]["status"] == 400
    assert fourth["result"]["caption"] == "a blue square"
    assert all(len(item) == 1 for item in (first, second, third, fourth))


async def test_more_photos_than_allowed_are_refused(serve: Serve) -> None:
    async with serve(max_images=2) as client:
        response = await client.post("/captions", files=parts(RED, RED, RED))

    assert "at most 2 files" in check_problem(response, 400, "malformed-request")["detail"]


async def test_several_photos_need_a_multipart_body(client: httpx.AsyncClient) -> None:
    response = await client.post("/captions", content=RED, headers=PNG)

    check_problem(response, 415, "unsupported-type")


async def test_the_same_photo_is_answered_from_the_cache(client: httpx.AsyncClient, model: GatedCaptioner) -> None:
    first = await client.post("/caption", content=RED, headers=PNG)
    runs = len(model.batches)
    second = await client.post("/caption", files=parts(RED))

    assert len(model.batches) == runs
    assert first.headers["cache-status"] == "inference; fwd=miss"
    assert second.headers["cache-status"] == "inference; hit"
    assert second.json()["caption"] == first.json()["caption"]
    assert second.json()["timings_ms"]["encode"] == 0


async def test_other_options_are_another_question(client: httpx.AsyncClient) -> None:
    await client.post("/caption", content=RED, headers=PNG)
    response = await client.post("/caption?alternatives=1", content=RED, headers=PNG)

    assert len(response.json()["alternatives"]) == 1


async def test_a_full_queue_is_answered_429_with_the_time_to_wait(serve: Serve, model: GatedCaptioner) -> None:
    async with serve(queue_size=1, cache_size=0) as client:
        model.gate.clear()
        waiting = asyncio.create_task(client.post("/caption", content=RED, headers=PNG))
        while len(model.batches) < 2:  # the first was the warm-up
            await asyncio.sleep(0.001)
        refused = await client.post("/caption", content=BLUE, headers=PNG)
        model.gate.set()

        assert check_problem(refused, 429, "queue-full")["retry_after"] >= 1
        assert (await waiting).status_code == 200


async def test_a_passed_deadline_is_answered_504(serve: Serve, model: GatedCaptioner) -> None:
    async with serve(deadline_seconds=0.1) as client:
        model.gate.clear()
        response = await client.post("/caption", content=RED, headers=PNG)

        assert "0.1 seconds" in check_problem(response, 504, "deadline-exceeded")["detail"]


async def test_before_the_model_is_loaded_photos_are_answered_503(serve: Serve) -> None:
    async with serve(start=False) as client:
        response = await client.post("/caption", content=RED, headers=PNG)

        assert "loading" in check_problem(response, 503, "not-ready")["detail"]


async def test_while_draining_photos_are_answered_503_and_accepted_ones_finish(
    serve: Serve, model: GatedCaptioner
) -> None:
    async with serve() as client:
        model.gate.clear()
        accepted = asyncio.create_task(client.post("/caption", content=RED, headers=PNG))
        while len(model.batches) < 2:
            await asyncio.sleep(0.001)
        draining = asyncio.create_task(client.service.drain())  # type: ignore[attr-defined]
        await asyncio.sleep(0)
        refused = await client.post("/caption", content=BLUE, headers=PNG)
        model.gate.set()

        assert "about to stop" in check_problem(refused, 503, "not-ready")["detail"]
        assert refused.headers["connection"] == "close"
        assert (await accepted).status_code == 200
        await draining


async def test_an_unexpected_error_is_a_500_that_gives_nothing_away(
    client: httpx.AsyncClient, model: GatedCaptioner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(model, "describe", fail)
    response = await client.post("/caption", content=RED, headers=PNG)

    check_problem(response, 500, "internal-error")
    assert "secret" not in response.text
