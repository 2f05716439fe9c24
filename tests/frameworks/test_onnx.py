"""Graphs exported from PyTorch answer as the network does, whatever their shape."""

import importlib
from collections.abc import Callable
from pathlib import Path

import pytest

from frameworks.case import TOLERANCE, Case

pytest.importorskip("torch", reason="pip install 'cvserve[torch]', and these tests run")
NETS = importlib.import_module("frameworks.onnx_nets")
ONNX: dict[str, Callable[[Path], Case]] = NETS.ONNX


@pytest.mark.parametrize("name", ONNX)
def test_scores_are_those_of_the_network(tmp_path: Path, name: str) -> None:
    assert ONNX[name](tmp_path).differ() <= TOLERANCE


def test_what_pytorch_writes_by_default_needs_nothing_else(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="pip install onnxscript, and this test runs")
    assert NETS.by_default(tmp_path).differ() <= TOLERANCE
