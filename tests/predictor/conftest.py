from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression


@pytest.fixture(autouse=True)
def config_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The trust store of each test is its own, and lies beside no model."""
    folder = tmp_path_factory.mktemp("config") / "config-home"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def digits() -> tuple[NDArray[Any], NDArray[Any]]:
    pixels, classes = load_digits(return_X_y=True)
    return pixels[:300] / 16, classes[:300]


@pytest.fixture(scope="session")
def logistic(digits: tuple[NDArray[Any], NDArray[Any]]) -> Any:
    return LogisticRegression(max_iter=1000).fit(*digits)


@pytest.fixture
def skops_file(tmp_path: Path, logistic: Any) -> Path:
    path = tmp_path / "digits.skops"
    skops.io.dump(logistic, path)
    return path


@pytest.fixture(scope="session")
def square() -> NDArray[Any]:
    """A picture of 8 by 8 grey pixels, none like its neighbour."""
    return np.arange(64, dtype=np.uint8).reshape(8, 8) * 3
