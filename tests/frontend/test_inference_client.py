"""The client against a real socket: what it sends, how long it waits, when it tries again and when not at all."""

import gc
import json
import math
import socket
import threading
import time
import tracemalloc

import pytest
from support.fake_inference import Answer, FakeInference, make_caption, make_problem

from frontend.inference.circuit_breaker import CircuitBreaker
from frontend.inference.client import InferenceClient, Options
from frontend.inference.errors import BusyError, DeadlineError, InvalidAnswerError, RefusedError, UnreachableError
from frontend.settings import Settings


def make_client(url: str, **fields: object) -> InferenceClient:
    return InferenceClient(Settings.model_validate({"inference_url": url, "deadline_seconds": 1.0, **fields}))


def closed_port_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_sends_the_bytes_the_options_and_the_request_id(inference: FakeInference) -> None:
    options = Options(beam_width=5, alternatives=2, attention=True)

    caption = make_client(inference.url).caption(b"photo", options, "id-1")

    assert caption.alt_text == "A brown dog runs through the grass."
    assert len(caption.alternatives) == 2
    assert caption.words[0].attention is not None
    [received] = inference.received
    assert received.body == b"photo"
    assert received.query == {"beam_width": "5", "alternatives": "2", "attention": "true"}
    assert received.headers["X-Request-ID"] == "id-1"
    assert received.headers["Content-Type"].startswith("image/")
    assert "Authorization" not in received.headers


def test_leaves_the_beam_width_to_the_model_unless_asked(inference: FakeInference) -> None:
    make_client(inference.url).caption(b"photo", Options(), "id")

    assert "beam_width" not in inference.received[0].query


def test_sends_the_key_it_was_given(inference: FakeInference) -> None:
    make_client(inference.url, inference_api_key="open-sesame").caption(b"photo", Options(), "id")

    assert inference.received[0].headers["Authorization"] == "Bearer open-sesame"


@pytest.mark.parametrize(("told", "seconds"), [("7", 7), ("9" * 400, 3600)])
def test_a_problem_comes_through_with_its_retry_after(inference: FakeInference, told: str, seconds: float) -> None:
    inference.answers.append(make_problem(429, "The queue is full.", Retry_After=told))

    with pytest.raises(RefusedError) as caught:
        make_client(inference.url).caption(b"photo", Options(), "id")

    assert caught.value.problem.detail == "The queue is full."
    assert caught.value.retry_after == seconds
    assert len(inference.received) == 1


def test_tries_again_once_after_503(inference: FakeInference) -> None:
    inference.answers.append(make_problem(503))

    assert make_client(inference.url).caption(b"photo", Options(), "id").caption
    assert len(inference.received) == 2


def test_gives_up_after_the_second_503(inference: FakeInference) -> None:
    inference.answers.extend([make_problem(503), make_problem(503, Retry_After="4"), make_problem(503)])

    with pytest.raises(RefusedError) as caught:
        make_client(inference.url).caption(b"photo", Options(), "id")

    assert caught.value.retry_after == 4
    assert len(inference.received) == 2


def test_tries_again_once_when_the_connection_breaks(inference: FakeInference) -> None:
    inference.answers.append(Answer(hang_up=True))

    assert make_client(inference.url).caption(b"photo", Options(), "id").caption
    assert len(inference.received) == 2


def test_does_not_try_other_errors_again(inference: FakeInference) -> None:
    inference.answers.append(make_problem(422))

    with pytest.raises(RefusedError):
        make_client(inference.url).caption(b"photo", Options(), "id")

    assert len(inference.received) == 1


def test_nobody_there_is_away() -> None:
    with pytest.raises(UnreachableError):
        make_client(closed_port_url()).caption(b"photo", Options(), "id")


def test_a_photo_for_which_nobody_is_there_is_let_go_of_at_once() -> None:
    client = make_client(closed_port_url())
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        with pytest.raises(UnreachableError):
            client.caption(bytes(4_000_000), Options(), "id")
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()

    assert held < 1_000_000


def test_the_deadline_ends_a_wait_for_the_first_byte(inference: FakeInference) -> None:
    inference.answers.append(Answer(delay=3))
    began = time.monotonic()

    with pytest.raises(DeadlineError):
        make_client(inference.url).caption(b"photo", Options(), "id")

    assert time.monotonic() - began < 2


def test_the_deadline_ends_an_answer_that_trickles(inference: FakeInference) -> None:
    inference.answers.append(Answer(body=b"{" + b" " * 100, drip=0.1))
    began = time.monotonic()

    with pytest.raises(DeadlineError):
        make_client(inference.url).caption(b"photo", Options(), "id")

    assert time.monotonic() - began < 2


NO_JSON = json.dumps(make_caption() | {"timings_ms": {"total": math.nan}}).encode()


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"caption": "a dog"}', b"[]", NO_JSON])
def test_an_answer_outside_the_contract_is_garbled(inference: FakeInference, body: bytes) -> None:
    inference.answers.append(Answer(body=body))

    with pytest.raises(InvalidAnswerError):
        make_client(inference.url).caption(b"photo", Options(), "id")


def test_an_endless_answer_is_not_read_to_its_end(inference: FakeInference) -> None:
    inference.answers.extend([Answer(body=b" " * 9_000_000)] * 2)

    with pytest.raises(UnreachableError):
        make_client(inference.url).caption(b"photo", Options(), "id")


def test_an_error_that_is_no_problem_json_still_has_its_status(inference: FakeInference) -> None:
    inference.answers.append(Answer(500, b"<h1>oops</h1>", "text/html"))

    with pytest.raises(RefusedError) as caught:
        make_client(inference.url).caption(b"photo", Options(), "id")

    assert caught.value.problem.status == 500


def test_answers_at_once_while_the_circuit_is_open_and_recovers_by_itself(inference: FakeInference) -> None:
    circuit = CircuitBreaker(threshold=1, cooldown=0.3)
    settings = Settings.model_validate({"inference_url": inference.url, "deadline_seconds": 1})
    client = InferenceClient(settings, circuit)
    circuit.failed()

    with pytest.raises(UnreachableError):
        client.model("id")
    assert inference.received == []

    time.sleep(0.35)
    assert client.caption(b"photo", Options(), "id").caption


def test_more_captions_at_once_than_allowed_are_told_that_it_is_busy(inference: FakeInference) -> None:
    inference.answers.append(Answer(body=json.dumps(make_caption()).encode(), delay=0.6))
    client = make_client(inference.url, concurrent_captions=1)
    first = threading.Thread(target=client.caption, args=(b"photo", Options(), "id"))
    first.start()
    while not inference.received:
        time.sleep(0.01)

    began = time.monotonic()
    with pytest.raises(BusyError):
        client.caption(b"photo", Options(), "id")
    assert time.monotonic() - began < 0.3  # whoever waited would hold a thread that pages need
    first.join()


def test_proxies_of_the_environment_are_not_used(inference: FakeInference, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", closed_port_url())

    assert make_client(inference.url).caption(b"photo", Options(), "id").caption
