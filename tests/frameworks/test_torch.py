"""Networks of PyTorch answer as they do in PyTorch, however they were saved."""

import importlib
from collections.abc import Callable
from pathlib import Path

import pytest

from frameworks.case import TOLERANCE, Case

pytest.importorskip("torch", reason="pip install 'cvserve[torch]', and these tests run")
TORCH: dict[str, Callable[[Path], Case]] = importlib.import_module("frameworks.torch_nets").TORCH


@pytest.mark.parametrize("name", TORCH)
def test_scores_are_those_of_pytorch(tmp_path: Path, name: str) -> None:
    assert TORCH[name](tmp_path).differ() <= TOLERANCE
