"""Paths in the repository that several tools use."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUNDLE = ROOT / "artifacts" / "default"
EXAMPLES = ROOT / "services" / "frontend" / "frontend" / "static" / "examples"
