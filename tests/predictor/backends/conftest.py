import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cvserve import Predictor
from cvserve.errors import ModelLoadError
from cvserve.predictor.predictor import LoadedPredictor

_HEAD = """import itertools

import numpy as np

COUNT = itertools.count()
WEIGHTS = np.random.default_rng(1).normal(size=(12, 3))
np.random.seed(1)

"""


@pytest.fixture
def load_own(tmp_path: Path) -> Iterator[Callable[..., LoadedPredictor | str]]:
    """Load a class `Own` with a given body, which may use np, COUNT and WEIGHTS; a refusal is its sentence."""

    def load(body: str, toml: str = "", before: str = "") -> LoadedPredictor | str:
        lines = "".join(f"    {line}\n" for line in body.splitlines())
        path = tmp_path / "own_of_test.py"
        path.write_text(f"{_HEAD}{before}\n\nclass Own:\n{lines}", encoding="utf-8")
        path.with_suffix(".toml").write_text(toml, encoding="utf-8")
        try:
            return Predictor.load(f"{path}:Own")
        except ModelLoadError as error:
            return str(error)

    yield load
    sys.modules.pop("own_of_test", None)
