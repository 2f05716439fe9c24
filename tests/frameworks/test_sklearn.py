"""Classifiers of scikit-learn answer as they do in scikit-learn, as skops and by joblib, compiled or not."""

import os
from pathlib import Path

import pytest

from frameworks.case import TOLERANCE
from frameworks.estimators import MAKERS, fitted, saved

WAYS = [(".skops", "never"), (".joblib", "auto")]
if os.environ.get("CVSERVE_TEST_LONG"):
    WAYS += [(".skops", "auto"), (".joblib", "never")]


@pytest.mark.parametrize(("suffix", "compiled"), WAYS)
@pytest.mark.parametrize("name", MAKERS)
def test_scores_are_those_of_scikit_learn(tmp_path: Path, name: str, suffix: str, compiled: str) -> None:
    assert saved(fitted(name), suffix, compiled, tmp_path).differ() <= TOLERANCE
