"""Slow work has slots, of which no client can hold all."""

import json
from contextlib import ExitStack
from threading import Event, Thread

import pytest
from support.fake_inference import Answer, FakeInference, Received, make_caption
from support.waiting import wait_for

from frontend.app import create_app
from frontend.settings import Settings
from frontend.web.slots import Slots, name_network


def test_no_client_holds_all_slots() -> None:
    slots = Slots(4)
    with ExitStack() as stack:
        taken = [stack.enter_context(slots.take("192.0.2.1")) for _ in range(4)]
        other = [stack.enter_context(slots.take("192.0.2.2")) for _ in range(2)]

    assert taken == [True, True, True, False]
    assert other == [True, False]


def test_slots_come_back() -> None:
    slots = Slots(1)
    for _ in range(3):
        with slots.take("192.0.2.1") as taken, slots.take("192.0.2.2") as other:
            assert (taken, other) == (True, False)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:0:1:2::3", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("192.0.2.7:49152", "192.0.2.7"),
        ("[2001:db8:0:1:2::3]:49152", "2001:db8:0:1::/64"),
        ("no address: at all", "no address: at all"),
        ("", ""),
    ],
)
def test_whoever_has_a_network_of_addresses_is_one_client(address: str, network: str) -> None:
    assert name_network(address) == network


@pytest.mark.parametrize("path", ["/api/caption", "/api/example/dog", "/"])
def test_a_client_with_many_slow_photos_leaves_places_to_others(inference: FakeInference, path: str) -> None:
    go_on = Event()

    def answer_late(_: Received) -> Answer:
        go_on.wait(60)
        return Answer(body=json.dumps(make_caption()).encode())

    inference.answers.extend([answer_late] * 3)
    app = create_app(Settings.model_validate({"inference_url": inference.url, "concurrent_captions": 4}))

    def post(address: str, to: str) -> int:
        photo: dict[str, str] | bytes = {"example": "dog"} if to == "/" else b"photo"
        return app.test_client().post(to, environ_base={"REMOTE_ADDR": address}, data=photo).status_code

    greedy = [Thread(target=post, args=("192.0.2.1", "/api/caption")) for _ in range(3)]
    for thread in greedy:
        thread.start()
    wait_for(lambda: len(inference.received) == 3, lambda: f"{len(inference.received)} came")

    statuses = post("192.0.2.1", path), post("192.0.2.2", path)
    go_on.set()

    assert statuses == (429, 200)
    for thread in greedy:
        thread.join()
