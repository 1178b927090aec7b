"""`python -m mutations [WORD …]`: checks that each test of SECURITY.md fails without its protection.

Works in a copy of the repository. An error before a test begins does not count as its failure. The exit code is 1 when
a test still passes. With words, only promises that contain one of them.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from repository import ROOT

from mutations.table import PACKAGES, Mutation, read_mutations

_IMPORTABLE = (*PACKAGES, "tools", "tests")
_LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".*_cache", "__pycache__", ".hypothesis", "screenshots")
_TEST_SECONDS = 90


def main(words: list[str]) -> int:
    """Print a line for each protection."""
    wanted = [word.lower() for word in words] or [""]
    chosen = [one for one in read_mutations() if any(word in one.promise.lower() for word in wanted)]
    if not chosen:
        print("No promise holds any of these words.", file=sys.stderr)
        return 2
    passed = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "repository"
        shutil.copytree(ROOT, copy, ignore=_LEFT_OUT, symlinks=True)
        for number, mutation in enumerate(chosen, 1):
            begun = time.monotonic()
            noticed = _is_noticed(mutation, copy)
            passed += not noticed
            verdict = "fails" if noticed else "STILL PASSES"
            print(f"{number}/{len(chosen)} {verdict}, {time.monotonic() - begun:.0f} s: {mutation.promise}", flush=True)
            print(f"    {mutation.node_id}", flush=True)
    print(f"{len(chosen) - passed} of {len(chosen)} tests fail when their protection is taken out")
    return 1 if passed else 0


def _is_noticed(mutation: Mutation, copy: Path) -> bool:
    with mutation.applied(copy):
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", f"--timeout={_TEST_SECONDS}", mutation.node_id],
            cwd=copy,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(str(copy / package) for package in _IMPORTABLE)},
            capture_output=True,
            text=True,
            check=False,
        )
    return run.returncode == 1 and re.search(r"\d+ failed", run.stdout) is not None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
