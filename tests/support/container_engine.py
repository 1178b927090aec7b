"""Docker and its containers, as an operator drives them and sees them from outside."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any


def run_docker(*arguments: str, stdin: IO[bytes] | None = None) -> str:
    """What a docker command prints; raises `AssertionError` with what it complained about."""
    return run_command(["docker", *arguments], stdin=stdin)


def run_command(
    command: list[str],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: IO[bytes] | None = None,
) -> str:
    """What a command prints; raises `AssertionError` with what it complained about."""
    result = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, stdin=stdin)
    assert result.returncode == 0, f"{' '.join(command)}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def succeeds(*command: str) -> bool:
    """Whether a command can be run and ends well."""
    return shutil.which(command[0]) is not None and subprocess.run(command, capture_output=True).returncode == 0


def has_engine() -> bool:
    """Whether a container engine answers."""
    return succeeds("docker", "info")


def find_compose_commands() -> list[list[str]]:
    """Every compose on this machine, the current one first: `docker compose`, `docker-compose` 1.29."""
    return [command for command in (["docker", "compose"], ["docker-compose"]) if succeeds(*command, "version")]


def weigh_image(tag: str) -> int:
    """Megabytes of an image, its base included."""
    return round(int(run_docker("image", "inspect", "--format", "{{.Size}}", tag)) / 1e6)


@dataclass(frozen=True)
class Container:
    """A container, by its id."""

    id: str

    def inspect(self) -> dict[str, Any]:
        """What the engine knows about it."""
        details: dict[str, Any] = json.loads(run_docker("inspect", self.id))[0]
        return details

    @property
    def health(self) -> str:
        """What its own health check says: "starting", "healthy" or "unhealthy"; "stopped" where it does not run."""
        state = self.inspect()["State"]
        return str(state["Health"]["Status"]) if state["Running"] else "stopped"

    def execute(self, *command: str, user: str = "10001") -> subprocess.CompletedProcess[str]:
        """Run a command inside."""
        return subprocess.run(["docker", "exec", "--user", user, self.id, *command], capture_output=True, text=True)

    def get(self, path: str, port: int = 8000) -> str:
        """The body of a page of the service inside, asked from inside: replicas are not reached from outside."""
        program = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{port}{path}').read().decode())"
        result = self.execute("python", "-c", program)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def metric(self, sample: str) -> float:
        """The value of one of the service's metrics now; 0 when it has not been counted yet."""
        lines = [line for line in self.get("/metrics").splitlines() if line.startswith(f"{sample} ")]
        return float(lines[0].rpartition(" ")[2]) if lines else 0.0

    def log(self) -> str:
        """Everything that it has printed."""
        command = ["docker", "logs", self.id]
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
