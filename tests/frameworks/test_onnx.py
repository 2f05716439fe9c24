"""Graphs exported from PyTorch answer as the network does, whatever their shape."""

import importlib
from collections.abc import Callable
from pathlib import Path

import pytest

from frameworks.case import TOLERANCE, Case

pytest.importorskip("torch", reason="pip install 'cvserve[torch]', and these tests run")
ONNX: dict[str, Callable[[Path], Case]] = importlib.import_module("frameworks.onnx_nets").ONNX


@pytest.mark.parametrize("name", ONNX)
def test_scores_are_those_of_the_network(tmp_path: Path, name: str) -> None:
    assert ONNX[name](tmp_path).differ() <= TOLERANCE
