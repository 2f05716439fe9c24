"""Modules beside a pickle: found by their names, hashed with it, and run from the bytes that were hashed."""

import hashlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from cvserve import Predictor
from cvserve.errors import CvserveError, ModelLoadError, UntrustedModel
from cvserve.predictor.models.files.file import read_model_file, with_imports
from support.command import cvserve

CODE = "import numpy as np\n\nfrom my_powers import power\n\n\ndef brighter(values):\n    return power(values, 0.5)\n"
POWERS = "import numpy as np\n\n\ndef power(values, by):\n    return np.power(values, by)\n"
NAMES = ("my_transforms", "my_powers")


@pytest.fixture(autouse=True)
def fresh_modules() -> Iterator[None]:
    finders = list(sys.meta_path)
    yield
    sys.meta_path[:] = finders
    for name in NAMES:
        sys.modules.pop(name, None)


@pytest.fixture
def saved(tmp_path: Path, digits: tuple[NDArray[Any], NDArray[Any]], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pipeline with a function of `my_transforms.py` in it, as joblib saves it; both lie in one folder."""
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "my_transforms.py").write_text(CODE, encoding="utf-8")
    (folder / "my_powers.py").write_text(POWERS, encoding="utf-8")
    with monkeypatch.context() as patched:
        patched.syspath_prepend(folder)
        import my_transforms  # type: ignore[import-not-found, unused-ignore]

        model = make_pipeline(FunctionTransformer(my_transforms.brighter), LogisticRegression(max_iter=500))
        joblib.dump(model.fit(*digits), folder / "model.joblib")
    for name in NAMES:
        sys.modules.pop(name, None)
    return folder / "model.joblib"


def hash_of(path: Path) -> str:
    return with_imports(read_model_file(path)).code_sha256


def test_they_are_imported_from_beside_the_file(saved: Path, square: NDArray[Any]) -> None:
    predictor = Predictor.load(saved, trust=True)
    estimator = predictor.model.backend.estimator  # type: ignore[attr-defined]
    expected = estimator.predict_proba(square.reshape(1, -1) / np.float32(255))[0]
    prediction = predictor.predict(square, top_k=10)
    assert {entry.index: pytest.approx(entry.score, abs=1e-5) for entry in prediction.top} == dict(enumerate(expected))


def test_their_bytes_are_in_the_hash_that_is_trusted(saved: Path) -> None:
    alone = hashlib.sha256(saved.read_bytes()).hexdigest()
    assert hash_of(saved) != alone
    with pytest.raises(ModelLoadError, match=hash_of(saved)):
        Predictor.load(saved, sha256=alone)
    assert Predictor.load(saved, sha256=hash_of(saved)).predict(np.zeros((8, 8), np.uint8))


def test_one_that_has_changed_is_not_run(saved: Path) -> None:
    trusted = hash_of(saved)
    assert cvserve("model", "trust", str(saved), "--sha256", trusted).code == 0
    assert Predictor.load(saved)
    canary = saved.with_name("canary")
    (saved.parent / "my_powers.py").write_text(f"open({str(canary)!r}, 'w')\n{POWERS}", encoding="utf-8")
    with pytest.raises(UntrustedModel, match="my_powers changed since"):
        Predictor.load(saved)
    with pytest.raises(ModelLoadError, match="has the SHA-256"):
        Predictor.load(saved, sha256=trusted)
    assert not canary.exists()


def test_the_code_that_runs_is_the_code_that_was_hashed(saved: Path) -> None:
    Predictor.load(saved, trust=True)
    (saved.parent / "my_powers.py").write_text(
        POWERS.replace("np.power(values, by)", "np.power(values, 0)"), encoding="utf-8"
    )
    answers = {Predictor.load(saved, trust=True).predict(np.full((8, 8), side, np.uint8)).label for side in (0, 200)}
    assert len(answers) == 1  # one power for all pictures: the module was loaded anew


def test_what_is_in_no_hash_is_not_imported(saved: Path) -> None:
    canary = saved.with_name("canary")
    (saved.parent / "my_extra.py").write_text(f"open({str(canary)!r}, 'w')\n", encoding="utf-8")
    (saved.parent / "my_powers.py").write_text(f"__import__('my_' + 'extra')\n{POWERS}", encoding="utf-8")
    with pytest.raises(ModelLoadError, match="my_extra is beside the model and not in its hash"):
        Predictor.load(saved, sha256=hash_of(saved))
    assert not canary.exists()


def test_a_file_beside_takes_the_place_of_no_package(saved: Path) -> None:
    canary = saved.with_name("canary")
    before = hash_of(saved)
    for name in ("sklearn", "numpy", "joblib", "pickle"):
        (saved.parent / f"{name}.py").write_text(f"open({str(canary)!r}, 'w')\n", encoding="utf-8")
    assert hash_of(saved) == before
    assert Predictor.load(saved, trust=True)
    assert not canary.exists()


def _remove(folder: Path) -> None:
    (folder / "my_transforms.py").unlink()


def _break(folder: Path) -> None:
    (folder / "my_powers.py").write_text("import numpy\n\nraise ValueError('no powers today')\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_remove, "needs the module 'my_transforms', which is not here; if it is yours, put my_transforms.py beside"),
        (_break, r"failed in its own code: my_powers.py, line 3: ValueError: no powers today"),
    ],
    ids=["missing", "broken"],
)
def test_a_module_that_fails_is_named(saved: Path, spoil: Callable[[Path], None], words: str) -> None:
    spoil(saved.parent)
    with pytest.raises(CvserveError, match=words):
        Predictor.load(saved, trust=True)
