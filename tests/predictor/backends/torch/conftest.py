"""What the tests of PyTorch models share."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.checkpoints import Checkpoints
from support.torch_models import trained, written


@pytest.fixture(autouse=True)
def fresh_modules() -> Iterator[None]:
    """Each test has a `model.py` of its own."""
    yield
    sys.modules.pop("model", None)


@pytest.fixture(scope="module")
def net() -> Any:
    """A `BaseModel` that was trained."""
    return trained()


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    """A folder with a `model.py`, into which files of weights are saved."""
    return Checkpoints(written(tmp_path / "net").parent)
