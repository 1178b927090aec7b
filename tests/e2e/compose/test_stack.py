"""`docker compose up`: what it serves, what its containers may do, and that it says when the model is not there."""

import os
import shutil
import time
from pathlib import Path

import httpx
import pytest
from support.compose import ROOT, Stack
from support.container_engine import run_command, run_docker, weigh_image
from support.photos import photo_bytes
from support.report import Report
from support.stand_ins import PYTHON

pytestmark = pytest.mark.timeout(1800)

SERVICES = ("inference", "frontend", "proxy")


def test_the_file_is_valid_for_every_compose_that_is_here(compose_commands: list[list[str]], report: Report) -> None:
    profiles = os.environ | {"COMPOSE_PROFILES": "monitoring,training"}

    for command in compose_commands:
        run_command([*command, "config", "--quiet"], folder=ROOT, environment=profiles)
        services = run_command([*command, "config", "--services"], folder=ROOT, environment=profiles).split()
        version = run_command([*command, "version", "--short"]).strip()

        assert {*SERVICES, "training", "prometheus", "grafana"} == set(services)
        report.note(f"docker-compose.yml is valid for `{' '.join(command)}` {version}")


def test_the_page_and_the_api_say_the_same_about_a_photo(stack: Stack) -> None:
    photo = photo_bytes("red", size=(320, 240))

    caption = stack.caption(photo)
    page = httpx.post(stack.page, files={"photo": ("red.png", photo, "image/png")}, timeout=60)

    assert page.status_code == 200
    assert caption["alt_text"] in page.text


def test_the_page_is_there_before_the_model_and_says_so(stack: Stack) -> None:
    stack.compose("stop", "inference")

    empty = httpx.get(stack.page)
    answer = httpx.post(stack.page, files={"photo": ("red.png", photo_bytes("red"), "image/png")}, timeout=60)
    problem = httpx.post(f"{stack.api}/caption", content=photo_bytes("red"), headers={"Content-Type": "image/png"})
    stack.scale(1)

    assert empty.status_code == 200
    assert answer.status_code == 503
    assert "The captioner is just starting." in answer.text
    assert problem.status_code == 503
    assert problem.headers["Content-Type"] == "application/problem+json"
    assert int(problem.headers["Retry-After"]) > 0


def test_the_proxy_refuses_a_body_that_is_too_large_as_a_problem(stack: Stack) -> None:
    answer = httpx.post(f"{stack.api}/caption", content=bytes(34 * 2**20), headers={"Content-Type": "image/png"})

    assert answer.status_code == 413
    assert answer.json()["type"] == "urn:image-captions:problem:body-too-large"


def test_metrics_stay_inside(stack: Stack) -> None:
    assert httpx.get(f"{stack.api}/metrics").status_code == 404


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_has_no_rights_that_it_does_not_need(stack: Stack, service: str) -> None:
    container = stack.containers(service)[0]
    status = dict(line.split(":\t", 1) for line in container.execute("cat", "/proc/1/status").stdout.splitlines())

    assert status["Uid"].split() == ["10001"] * 4
    assert {status[kind] for kind in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"


@pytest.mark.parametrize("service", SERVICES)
def test_nobody_can_change_the_program_not_even_root(stack: Stack, service: str) -> None:
    container = stack.containers(service)[0]

    for path in ("/changed", "/usr/bin/changed", "/etc/changed"):
        attempt = container.execute("touch", path, user="0")
        assert "Read-only file system" in attempt.stderr, path


def test_the_bundle_cannot_be_changed_from_the_service_that_reads_it(stack: Stack) -> None:
    attempt = stack.containers("inference")[0].execute("touch", "/artifacts/default/changed", user="0")

    assert "Read-only file system" in attempt.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_cannot_take_the_whole_machine(stack: Stack, service: str) -> None:
    limits = stack.containers(service)[0].inspect()["HostConfig"]

    assert 0 < limits["Memory"] <= 2**30
    assert 0 < limits["PidsLimit"] <= 256
    assert limits["LogConfig"]["Config"]["max-size"]


def test_only_the_page_and_the_api_are_reached_from_outside_and_from_this_machine_alone(stack: Stack) -> None:
    published = {
        service: [
            binding["HostIp"]
            for bindings in stack.containers(service)[0].inspect()["NetworkSettings"]["Ports"].values()
            for binding in bindings or []
        ]
        for service in SERVICES
    }

    assert published == {"inference": [], "frontend": ["127.0.0.1"], "proxy": ["127.0.0.1"]}


def test_inference_has_no_way_out(stack: Stack) -> None:
    networks = stack.containers("inference")[0].inspect()["NetworkSettings"]["Networks"]

    internal = [run_docker("network", "inspect", "--format", "{{.Internal}}", name).strip() for name in networks]

    assert internal == ["true"]


def test_the_inference_image_adds_less_than_350_megabytes_to_its_base(stack: Stack) -> None:
    assert weigh_image("caption-inference") - weigh_image(PYTHON) < 350


@pytest.mark.parametrize(("service", "package"), [("inference", "photocaption"), ("frontend", "frontend")])
def test_a_change_of_code_is_built_in_seconds(
    stack: Stack, service: str, package: str, tmp_path: Path, report: Report
) -> None:
    context = shutil.copytree(ROOT / "services" / service, tmp_path / service)
    with (context / package / "__init__.py").open("a") as module:
        module.write("\nCHANGED = True\n")

    override = tmp_path / "override.yml"
    override.write_text(f"services: {{{service}: {{build: {context}, image: 'caption-{service}:changed'}}}}")

    start = time.monotonic()
    stack.compose("--file", "docker-compose.yml", "--file", str(override), "build", service)
    seconds = time.monotonic() - start
    run_docker("image", "rm", f"caption-{service}:changed")

    report.note(f"rebuild of {service} after a change of code: {seconds:.1f} s")
    assert seconds < 30
