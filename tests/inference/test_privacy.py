"""Nothing about photos, or about who captions them, leaves the machine."""

import os
import subprocess
import sys
from pathlib import Path


def test_onnx_runtime_keeps_no_identity_to_report_its_use_under(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment["HOME"] = environment["XDG_CACHE_HOME"] = str(tmp_path)

    subprocess.run([sys.executable, "-c", "import photocaption.model.onnx_runtime"], env=environment, check=True)

    assert list(tmp_path.rglob("*")) == []
