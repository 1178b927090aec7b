"""`docker compose up --scale inference=3`: work is spread, and no photo is lost however a replica leaves."""

import pytest
from support.compose import Stack
from support.container_engine import run_docker
from support.load import under_load
from support.report import Report
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(1800)

_CAPTIONS = 'caption_requests_total{method="POST",route="/caption",status="200"}'


def test_every_replica_takes_a_share_of_the_work(stack: Stack) -> None:
    stack.scale(3)
    replicas = stack.containers("inference")

    with under_load(stack.api, warm_up=40):
        pass

    assert len(replicas) == 3
    assert all(replica.metric(_CAPTIONS) > 0 for replica in replicas)


@pytest.mark.parametrize("way", ["stop", "kill"])
def test_no_photo_is_lost_when_a_replica_leaves_under_load(stack: Stack, way: str, report: Report) -> None:
    stack.scale(3)

    with under_load(stack.api) as load:
        run_docker(way, stack.containers("inference")[0].id)

    report.count(f"one replica of 3 left by docker {way} under load", load)
    assert load.lost == []


def test_no_photo_is_lost_while_replicas_are_added_and_taken_away(stack: Stack, report: Report) -> None:
    stack.scale(1)

    with under_load(stack.api) as load:
        stack.scale(3)
        stack.scale(1)

    report.count("scaled from 1 to 3 to 1 under load", load)
    assert load.lost == []


def test_a_replica_that_ends_by_itself_comes_back(stack: Stack) -> None:
    stack.scale(1)
    replica = stack.containers("inference")[0]
    started = replica.inspect()["State"]["StartedAt"]

    replica.execute("python", "-c", "import os, signal; os.kill(1, signal.SIGTERM)")

    wait_for(lambda: replica.inspect()["State"]["StartedAt"] != started, replica.log)
    stack.wait_until_healthy()


def test_a_replica_that_is_asked_to_stop_finishes_and_says_so(stack: Stack) -> None:
    stack.scale(2)
    leaving = stack.containers("inference")[-1]

    run_docker("stop", leaving.id)

    assert leaving.inspect()["State"]["ExitCode"] == 0
