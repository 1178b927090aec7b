"""The process from its first second to its last: listening while loading, draining on a signal."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from support.photos import photo_bytes
from support.problems import check_problem
from support.raw_http import RawConnection, request_head
from support.service_process import ServiceProcess, run_service
from support.waiting import wait_for

pytestmark = pytest.mark.slow

PNG = {"Content-Type": "image/png"}
COLOURS = ("red", "green", "blue", "white", "black")


def post(service: ServiceProcess, colour: str) -> httpx.Response:
    return httpx.post(f"{service.url}/caption", content=photo_bytes(colour), headers=PNG, timeout=60)


def post_all(service: ServiceProcess, pool: ThreadPoolExecutor) -> list[Future[httpx.Response]]:
    """Send five photos at once and wait until all are accepted."""
    requests = [pool.submit(post, service, colour) for colour in COLOURS]
    wait_for(lambda: service.metric("caption_queue_depth") == len(COLOURS))
    return requests


def check_left_undone(accepted: list[Future[httpx.Response]]) -> None:
    """Some photos were captioned, the others got an answer too."""
    answers = [request.result() for request in accepted]
    undone = [answer for answer in answers if answer.status_code != 200]
    assert undone
    for answer in undone:
        check_problem(answer, 503, "not-ready")


def test_it_answers_while_the_model_is_still_warming_up(tiny_bundle: Path) -> None:
    with ServiceProcess(tiny_bundle, slow=3.0) as service:
        check_problem(httpx.get(f"{service.url}/health/ready", timeout=60), 503, "not-ready")
        check_problem(post(service, "red"), 503, "not-ready")

        service.wait_until_ready()

        assert post(service, "red").json()["caption"] == "a red square"


def test_sigterm_lets_accepted_photos_finish_and_refuses_new_ones(tiny_bundle: Path, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    with run_service(tiny_bundle, slow=gate, drain_seconds=60) as service, ThreadPoolExecutor(len(COLOURS)) as pool:
        gate.unlink()
        accepted = post_all(service, pool)
        service.terminate()
        wait_for(lambda: httpx.get(f"{service.url}/health/ready", timeout=60).status_code == 503)

        check_problem(post(service, "red"), 503, "not-ready")
        gate.touch()
        assert [request.result().json()["caption"] for request in accepted] == [
            f"a {colour} square" for colour in COLOURS
        ]
        assert service.wait() == 0


def test_who_has_connected_before_the_end_is_answered(tiny_bundle: Path) -> None:
    with run_service(tiny_bundle, drain_notice_seconds=0) as service, RawConnection(service.port) as client:
        service.terminate()
        time.sleep(1)
        client.send(request_head(3) + b"abc")

        assert client.answer()[0].status == 503
        assert service.wait() == 0


def test_an_idle_service_stops_after_its_notice(tiny_bundle: Path) -> None:
    with run_service(tiny_bundle, drain_notice_seconds=0.5) as service:
        service.terminate()
        start = time.monotonic()
        assert service.wait() == 0

    assert 0.4 < time.monotonic() - start < 20


def test_a_second_signal_stops_at_once_and_says_so(tiny_bundle: Path) -> None:
    with run_service(tiny_bundle, slow=1.0, drain_notice_seconds=30) as service, ThreadPoolExecutor(8) as pool:
        accepted = post_all(service, pool)
        service.terminate()
        wait_for(lambda: httpx.get(f"{service.url}/health/ready", timeout=60).status_code == 503)
        service.terminate()

        assert service.wait(seconds=10) == 1
        check_left_undone(accepted)
        assert not [line for line in service.log if '"level": "error"' in line]


def test_work_that_outlasts_the_grace_period_is_left(tiny_bundle: Path) -> None:
    limits = {"drain_seconds": 0.2, "drain_notice_seconds": 0}
    with run_service(tiny_bundle, slow=2.0, **limits) as service, ThreadPoolExecutor(8) as pool:
        accepted = post_all(service, pool)
        start = time.monotonic()
        service.terminate()
        code = service.wait()

        assert code == 1
        assert time.monotonic() - start < 25
        check_left_undone(accepted)


def set_version(bundle: Path, version: str) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    (bundle / "manifest.json").write_text(json.dumps(manifest | {"version": version}))


def test_a_new_bundle_is_taken_up_on_sighup_without_losing_a_photo(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    with run_service(bundle, slow=0.8, cache_size=0) as service, ThreadPoolExecutor(8) as pool:
        before = post_all(service, pool)
        set_version(bundle, "0.0.2")
        service.process.send_signal(signal.SIGHUP)
        wait_for(lambda: httpx.get(f"{service.url}/model", timeout=60).json()["version"] == "0.0.2")
        after = post(service, "red")

    assert [request.result().status_code for request in before] == [200] * len(COLOURS)
    assert before[0].result().json()["model"]["version"] == "0.0.1"
    assert after.json()["model"]["version"] == "0.0.2"


def test_a_damaged_bundle_leaves_the_old_model_serving(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    with run_service(bundle) as service:
        (bundle / "encoder.onnx").write_bytes(b"not a model")
        service.process.send_signal(signal.SIGHUP)
        wait_for(lambda: any("not reloaded" in line for line in service.log))

        assert "encoder.onnx" in service.log[-1]
        assert post(service, "red").json()["caption"] == "a red square"
        assert httpx.get(f"{service.url}/health/ready", timeout=60).status_code == 200


def test_a_client_that_hangs_up_gives_its_place_back(tiny_bundle: Path) -> None:
    with run_service(tiny_bundle, slow=6.0, workers=1) as service:
        begun = service.metric("caption_batch_size_count")
        photo = photo_bytes("red")
        for number in range(6):
            with RawConnection(service.port) as client:
                client.send(request_head(len(photo)) + photo)
                wait_for(lambda: service.metric("caption_queue_depth") == 1)
                if number == 0:
                    wait_for(lambda: service.metric("caption_batch_size_count") == begun + 1)
            wait_for(lambda: service.metric("caption_queue_depth") == 0)

        # The first one was under way: the photos behind it were dropped unseen.
        assert service.metric("caption_batch_size_count") == begun + 1


def children(service: ServiceProcess) -> list[int]:
    """The processes that decode."""
    task = Path(f"/proc/{service.process.pid}/task")
    lists = [(thread / "children").read_text().split() for thread in task.iterdir()]
    return [int(number) for numbers in lists for number in numbers]


def lose_decoders(service: ServiceProcess, client: httpx.Client) -> int:
    """Have all processes that decode die at a time when no other can be started; how many files were allowed."""
    assert client.get("/health/ready").status_code == 200  # the connection is there, and needs no file any more
    files = service.allow_files(1)
    for number in children(service):
        os.kill(number, signal.SIGKILL)
    content = photo_bytes("blue")
    assert client.post("/caption", content=content, headers=PNG).status_code in (503, 504)
    return files


def test_without_decoders_it_is_not_ready_until_there_are_some_again(tiny_bundle: Path) -> None:
    with (
        run_service(tiny_bundle, deadline_seconds=5) as service,
        httpx.Client(base_url=service.url, timeout=30) as client,
    ):
        files = lose_decoders(service, client)

        check_problem(client.get("/health/ready"), 503, "not-ready")
        check_problem(client.post("/caption", content=photo_bytes("red"), headers=PNG), 503, "not-ready")
        assert client.get("/health/live").status_code == 200

        service.allow_files(files)
        wait_for(lambda: client.get("/health/ready").status_code == 200)
        assert client.post("/caption", content=photo_bytes("red"), headers=PNG).status_code == 200


def test_sigterm_ends_it_though_it_has_lost_its_decoders(tiny_bundle: Path) -> None:
    with (
        run_service(tiny_bundle, deadline_seconds=2) as service,
        httpx.Client(base_url=service.url, timeout=30) as client,
    ):
        lose_decoders(service, client)
        client.close()
        service.terminate()

        assert service.wait(45) == 0
        assert len(service.log) < 30


def test_sigterm_ends_it_though_the_model_never_comes_to_an_end(tiny_bundle: Path) -> None:
    with ServiceProcess(tiny_bundle, slow=3600, drain_seconds=1) as service:
        wait_for(lambda: httpx.get(f"{service.url}/health/live", timeout=60).status_code == 200)
        service.terminate()

        assert service.wait(45) == 1


def test_sigterm_ends_it_though_nobody_takes_in_its_log(tiny_bundle: Path) -> None:
    command = [sys.executable, "-m", "photocaption"]
    variables = {"CAPTION_BUNDLE": str(tiny_bundle), "CAPTION_PORT": "0", "CAPTION_DRAIN_SECONDS": "1"}
    with subprocess.Popen(command, env=os.environ | variables, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = json.loads(process.stdout.readline())["port"]
        fill_log(f"http://127.0.0.1:{port}")
        process.terminate()

        assert process.wait(45) == 1


def fill_log(url: str) -> None:
    """Have requests logged until that holds up the answer."""
    with httpx.Client(timeout=httpx.Timeout(5, connect=60)) as client, suppress(httpx.TimeoutException):
        while True:
            client.get(f"{url}/{'a' * 8_000}")


@pytest.mark.parametrize("closed", ["<&- >&- 2>&-", ">&-"])
def test_it_serves_though_its_standard_streams_are_closed(tiny_bundle: Path, tmp_path: Path, closed: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    variables = {"CAPTION_BUNDLE": str(tiny_bundle), "CAPTION_PORT": str(port)}
    command = f"exec {sys.executable} -m photocaption {closed}"
    with subprocess.Popen(["/bin/sh", "-c", command], env=os.environ | variables, cwd=tmp_path) as process:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            wait_for(lambda: _is_ready(client) or process.poll() is not None)
            assert client.post("/caption", content=photo_bytes("red"), headers=PNG).status_code == 200
        process.terminate()

        assert process.wait(45) == 0


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/health/ready").status_code == 200
    except httpx.TransportError:
        return False


def test_a_signal_to_load_anew_before_there_is_anything_to_load_does_no_harm(tiny_bundle: Path) -> None:
    with ServiceProcess(tiny_bundle) as service:
        service.process.send_signal(signal.SIGHUP)
        service.wait_until_ready()
