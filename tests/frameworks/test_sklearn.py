"""Classifiers of scikit-learn answer as they do in scikit-learn, as skops and by joblib, compiled or not."""

import os
from pathlib import Path

import pytest

from frameworks.case import TOLERANCE
from frameworks.estimators import MAKERS, fitted, saved

WAYS = [(".skops", "never"), (".joblib", "auto"), (".skops", "auto"), (".joblib", "never")]
CASES = [(name, *way) for name in MAKERS for way in WAYS]
if not os.environ.get("CVSERVE_TEST_LONG"):
    CASES = [(name, *WAYS[number % 2]) for number, name in enumerate(MAKERS)]


@pytest.mark.parametrize(("name", "suffix", "compiled"), CASES)
def test_scores_are_those_of_scikit_learn(tmp_path: Path, name: str, suffix: str, compiled: str) -> None:
    assert saved(fitted(name), suffix, compiled, tmp_path).differ() <= TOLERANCE
