"""The floods against the stack of docker-compose.yml, within its containers' limits of memory, processes and files.

`python -m chaos --compose` builds the images, brings the stack up with the bundle that is served out of the box, and
takes it down. It needs Docker's engine on this machine, and root. The attackers come from an address of their own in
the containers' network, and go to the containers without the published ports, behind which all addresses are one.
"""

import contextlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

from support.compose import Stack
from support.container_engine import Container, find_compose_commands, run_docker
from support.stand_ins import PROXY, PYTHON, provide_image
from support.waiting import wait_for

from chaos.figures import Figures, PeakMemory
from chaos.floods import Flood, Target, measure

_SERVICES = ("inference", "proxy", "frontend")
_PROJECT = "caption-chaos"


@dataclass(frozen=True, slots=True)
class _Health:
    """What has happened to a container so far."""

    restarts: int
    out_of_memory: bool
    began: str

    @classmethod
    def of(cls, container: Container) -> "_Health":
        details = container.inspect()
        return cls(details["RestartCount"], details["State"]["OOMKilled"], details["State"]["StartedAt"])


@contextlib.contextmanager
def run_compose(artifacts: Path, folder: Path) -> Iterator[Stack]:
    """The stack, built and ready; `folder` is for images that have to be made."""
    for tag in (PYTHON, PROXY):
        provide_image(tag, folder)
    stack = Stack(find_compose_commands()[0], artifacts, project=_PROJECT, CAPTION_CACHE_SIZE="0")
    stack.remove()
    try:
        stack.compose("build")
        stack.compose("up", "--detach", "--no-build")
        wait_for(stack.is_ready, lambda: stack.compose("logs"))
        stack.wait_until_healthy()
        yield stack
    finally:
        stack.remove()


async def run(stack: Stack, flood: Flood, seconds: float) -> Figures:
    """Flood the proxy, or the page, for so long: no container may restart or run out of memory."""
    figures = Figures(f"compose: {flood.name}")
    containers = {name: stack.containers(name)[0] for name in _SERVICES}
    before = {name: _Health.of(container) for name, container in containers.items()}
    with contextlib.ExitStack() as held:
        target = held.enter_context(
            _open_target(containers["frontend" if flood.page else "proxy"], flood.port, f"{stack.project}_outside")
        )
        memory = {
            name: held.enter_context(PeakMemory(container.inspect()["State"]["Pid"]))
            for name, container in containers.items()
        }
        await measure(figures, flood, target, seconds)
    for name, peak in memory.items():
        figures.values[f"memory of {name}, peak (MB)"] = peak.megabytes
    figures.check_memory(memory["inference"].megabytes)
    for name, container in containers.items():
        now = _Health.of(container)
        figures.require(now == before[name], f"the container of {name} goes on: {before[name]}, then {now}")
    return figures


@contextlib.contextmanager
def _open_target(container: Container, port: int, name: str) -> Iterator[Target]:
    """A container's port in the network of that name, and an address there to attack it from."""
    network = container.inspect()["NetworkSettings"]["Networks"][name]
    subnet = ip_network(f"{network['Gateway']}/{network['IPPrefixLen']}", strict=False)
    source = str(subnet.broadcast_address - 1)
    details = json.loads(run_docker("network", "inspect", network["NetworkID"]))[0]
    bridge = details["Options"].get("com.docker.network.bridge.name", f"br-{details['Id'][:12]}")
    subprocess.run(["ip", "address", "replace", f"{source}/32", "dev", bridge], check=True)
    try:
        yield Target(network["IPAddress"], port, source)
    finally:
        subprocess.run(["ip", "address", "delete", f"{source}/32", "dev", bridge], check=True)
