"""`python -m chaos`: all scenarios in full, or a share of them with `--scale`; exit code 1 when a promise is broken."""

import argparse
import asyncio
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from repository import BUNDLE, EXAMPLES
from support.tiny_bundle import write_tiny_bundle

from chaos import exchanges, floods, greedy, images, overload, restarts, slow_clients, stack
from chaos.figures import Figures, sum_up

_IMAGES = 20_000
_EXCHANGES = 5_000
_SLOW_CLIENTS = 200
_GREEDY_CLIENTS = 16
_GREEDY_SECONDS = 10.0
_FLOOD_SECONDS = 10.0
_OVERLOAD_SECONDS = 20.0
_RESTARTS = 40  # half of them are kills

_SERVED_GOODPUT = 0.8  # of a model that takes all cores, from which the client and the refusals take their part here
_SERVED_PHOTO = EXAMPLES / "dog.jpg"

Scenario = Callable[[], Coroutine[Any, Any, Figures]]


def main() -> int:
    """Run the scenarios one after the other, each against a service of its own."""
    options = _parse()
    print(f"seed {options.seed}, scale {options.scale:g}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        bundle = options.bundle or write_tiny_bundle(Path(folder) / "tiny")
        scenarios = _run_compose(Path(folder), options) if options.compose else _run_all(_scenarios(bundle, options))
    broken = [promise for figures in scenarios for promise in figures.broken]
    print(f"\n{sum_up(scenarios)}\n")
    print("\n".join(f"BROKEN: {promise}" for promise in broken) or "every promise was kept")
    return 1 if broken else 0


def _run_compose(folder: Path, options: argparse.Namespace) -> list[Figures]:
    with stack.run_compose(BUNDLE.parent, folder) as compose:
        return _run_all(
            [
                partial(stack.run, compose, flood, max(4.0, _FLOOD_SECONDS * options.scale))
                for name, flood in floods.FLOODS.items()
                if _name_flood(name) in (options.only or map(_name_flood, floods.FLOODS))
            ]
        )


def _name_flood(name: str) -> str:
    return re.sub(r"\W+", "-", name)


def _scenarios(bundle: Path, options: argparse.Namespace) -> list[Scenario]:
    scale: float = options.scale
    chance = random.Random(options.seed)

    def scaled(count: int, least: int) -> int:
        return max(least, round(count * scale))

    scenarios: dict[str, Scenario] = {
        "images": lambda: images.run(bundle, scaled(_IMAGES, 100), chance, options.corpus),
        "exchanges": lambda: exchanges.run(bundle, scaled(_EXCHANGES, 100), chance),
        "slow-clients": lambda: slow_clients.run(bundle, scaled(_SLOW_CLIENTS, 20), chance),
        "greedy": lambda: greedy.run(bundle, _GREEDY_CLIENTS, max(4.0, _GREEDY_SECONDS * scale)),
        **{
            _name_flood(name): partial(
                floods.run, BUNDLE if flood.served else bundle, flood, max(4.0, _FLOOD_SECONDS * scale)
            )
            for name, flood in floods.FLOODS.items()
        },
        "overload": lambda: overload.run(bundle, max(4.0, _OVERLOAD_SECONDS * scale)),
        "overload-served": lambda: overload.run(
            BUNDLE,
            max(4.0, _OVERLOAD_SECONDS * scale),
            photo=_SERVED_PHOTO.read_bytes(),
            model_seconds=None,
            least_goodput=_SERVED_GOODPUT,
        ),
        "restarts": lambda: restarts.run(bundle, scaled(_RESTARTS, 2)),
    }
    return [scenario for name, scenario in scenarios.items() if name in (options.only or scenarios)]


def _run_all(scenarios: Iterable[Scenario]) -> list[Figures]:
    return [_run(scenario) for scenario in scenarios]


def _run(scenario: Scenario) -> Figures:
    start = time.perf_counter()
    figures: Figures = asyncio.run(scenario())
    print(f"\n{figures}\n  {'took (s)':<32} {time.perf_counter() - start:.0f}", flush=True)
    return figures


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument(
        "only",
        nargs="*",
        help="images, exchanges, slow-clients, greedy, overload, overload-served, restarts, or a kind of flood as "
        "trailers or page-slow-photos; all by default",
    )
    parser.add_argument(
        "--compose", action="store_true", help="only floods, at the stack of docker-compose.yml; needs Docker and root"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full numbers")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="repeats what an earlier run sent")
    parser.add_argument("--bundle", type=Path, help="bundle to serve instead of a tiny generated one")
    parser.add_argument(
        "--corpus",
        type=Path,
        default=images.find_corpus(),
        help=f"folder with more files to send as photos; by default that of the variable {images.CORPUS_VARIABLE}",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
