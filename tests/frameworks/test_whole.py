"""Models of whole frameworks, served from what their owners saved, answer as the frameworks' own pipelines do."""

import importlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from frameworks.case import TOLERANCE, Case

if not os.environ.get("CVSERVE_TEST_LONG"):
    pytest.skip("CVSERVE_TEST_LONG=1 asks whole frameworks, which take long to load", allow_module_level=True)
pytest.importorskip("torch", reason="pip install 'cvserve[torch]', and these tests run")
WHOLE: dict[str, Callable[[Path], Case]] = importlib.import_module("frameworks.whole").WHOLE


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # frameworks among themselves
@pytest.mark.parametrize("name", WHOLE)
def test_scores_are_those_of_the_framework(tmp_path: Path, name: str) -> None:
    assert WHOLE[name](tmp_path).differ() <= TOLERANCE
