"""What the README says of speed is what `make bench` wrote."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (r"beam 3, \S+, \S+: (\S+ ms)", "{} in the service"),
        (r"float32 floor \| (\S+ ×)", "{} the least"),
        (r"tutorial's way \| (\S+ ×)", "{} as long"),
        (r"\n\| 16 \| (\S+) \|", "| {} captions/s |"),
        (r"peak memory below .+ \| (\S+ MB)", "| {} |"),
        (r"ready within 2 s \| (\S+ s)", "| {} |"),
    ],
)
def test_the_readme_gives_the_figures_of_the_benchmarks(written: str, said: str) -> None:
    found = re.search(written, BENCHMARKS)

    assert found
    assert said.format(found[1]) in (ROOT / "README.md").read_text(encoding="utf-8")
