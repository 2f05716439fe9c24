"""The benchmark of devices works where there is none: whoever has a GPU gets figures, and no traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

GPU = Path(__file__).resolve().parents[2] / "benchmarks/gpu.py"

pytestmark = pytest.mark.skipif(not os.environ.get("CVSERVE_TEST_LONG"), reason="half a minute: CVSERVE_TEST_LONG=1")


def test_it_measures_both_formats_on_the_cpu() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnxruntime")
    options = ["--device", "cpu", "--width", "4", "--seconds", "0.2", "--connections", "1,2"]
    command = [sys.executable, "-W", "ignore", str(GPU), *options]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    rows = [line for line in ended.stdout.splitlines() if line.startswith(("| PyTorch", "| ONNX"))]
    assert [line.split(" | ")[:3] for line in rows] == [
        [f"| {title}", "cpu", count] for title in ("PyTorch", "ONNX") for count in ("1", "2")
    ]
    assert "| batches of 32 |" in ended.stdout
