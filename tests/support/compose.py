"""The stack of docker-compose.yml, under a project name and on ports of its own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_server
from typing import Any

import httpx

from support.container_engine import Container, run_command
from support.waiting import wait_for

ROOT = Path(__file__).parent.parent.parent


class Stack:
    """The services, driven with `command` (one of `find_compose_commands`); `settings` are the file's variables."""

    def __init__(self, command: list[str], artifacts: Path, *, project: str, **settings: str) -> None:
        self.artifacts = artifacts
        self.project = project
        self._command = [*command, "--project-name", project]
        api_port, page_port, prometheus_port = _find_free_ports(3)
        self.api = f"http://127.0.0.1:{api_port}"
        self.page = f"http://127.0.0.1:{page_port}"
        self.prometheus = f"http://127.0.0.1:{prometheus_port}"
        self._environment = (
            os.environ
            | settings
            | {
                "API_PORT": str(api_port),
                "PAGE_PORT": str(page_port),
                "PROMETHEUS_PORT": str(prometheus_port),
                "PUBLISH_ON": "127.0.0.1",
                "PUBLIC_API_URL": self.api,
                "ARTIFACTS": str(artifacts),
            }
        )

    def compose(self, *arguments: str) -> str:
        """What a compose command prints."""
        return run_command([*self._command, *arguments], folder=ROOT, environment=self._environment)

    def containers(self, *services: str) -> list[Container]:
        """The running containers of these services, or of all."""
        return [Container(line) for line in self.compose("ps", "--quiet", *services).split()]

    @contextmanager
    def variables(self, **variables: str) -> Iterator[None]:
        """Other values for variables of the file, for the commands of this block."""
        before = self._environment
        self._environment = before | variables
        try:
            yield
        finally:
            self._environment = before

    def scale(self, replicas: int) -> None:
        """Run so many inference containers and wait until all are ready."""
        self.compose("up", "--detach", "--no-build", "--scale", f"inference={replicas}")
        self.wait_until_healthy()

    def remove(self) -> None:
        """Stop and remove its containers, networks and volumes, if there are any."""
        self.compose("down", "--timeout", "5", "--volumes", "--remove-orphans")

    def wait_until_healthy(self) -> None:
        """Wait for every container's own health check."""
        wait_for(
            lambda: {container.health for container in self.containers()} == {"healthy"},
            lambda: self.compose("ps"),
        )

    def is_ready(self) -> bool:
        """Whether a photo would be captioned now."""
        try:
            return httpx.get(f"{self.api}/health/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def caption(self, photo: bytes) -> dict[str, Any]:
        """The API's answer to a photo."""
        answer = httpx.post(f"{self.api}/caption", content=photo, headers={"Content-Type": "image/png"}, timeout=60)
        assert answer.status_code == 200, answer.text
        caption: dict[str, Any] = answer.json()
        return caption


@contextmanager
def run_stack(command: list[str], artifacts: Path, *, project: str, **settings: str) -> Iterator[Stack]:
    """A stack that is not up yet; afterwards all of it is gone, and its logs are shown if something failed. What a run
    that was killed left of it goes first.
    """
    stack = Stack(command, artifacts, project=project, **settings)
    stack.remove()
    try:
        yield stack
    finally:
        print(stack.compose("logs", "--no-color", "--tail", "200"))
        stack.remove()


def _find_free_ports(count: int) -> list[int]:
    listeners = [create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports
