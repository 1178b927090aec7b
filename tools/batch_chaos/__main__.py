"""`python -m batch_chaos`: as many photos as `--photos` says; exit code 1 when a promise is broken."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from support.tiny_bundle import write_tiny_bundle

from batch_chaos.photos import write_photos
from batch_chaos.scenario import run


def main() -> int:
    """Write photos, and run the scenario on them."""
    parser = argparse.ArgumentParser(prog="python -m batch_chaos", description=__doc__)
    parser.add_argument("--photos", type=int, default=1000, help="how many (default: 1000)")
    parser.add_argument("--rows", type=int, default=50, help="how many of them in a file (default: 50)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="repeats what an earlier run made")
    options = parser.parse_args()
    print(f"seed {options.seed}, {options.photos} photos", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        write_photos(Path(folder) / "photos", options.photos, options.seed)
        bundle = write_tiny_bundle(Path(folder) / "tiny")
        figures = run(bundle, Path(folder) / "photos", Path(folder) / "captions", rows=options.rows)
    print(figures if figures.broken else f"{figures}\nevery promise was kept")
    return 1 if figures.broken else 0


if __name__ == "__main__":
    sys.exit(main())
