"""A pickle or a skops file that cannot be read says why: the version of scikit-learn, a package, a module."""

import io
import pickle
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sklearn
import skops.io
from numpy.typing import NDArray
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier

from cvserve.errors import ModelLoadError
from support.models import load_model

OLD = "1.5.2"
# Where compiled losses are now, and where a pickle of that version looks for them.
NOW_IN, OLD_IN = "sklearn._loss._loss", "_loss"


def pickled(model: Any, folder: Path) -> Path:
    """As the old version writes it."""
    data = pickle.dumps(model, protocol=2)  # in which names have no lengths
    assert f"c{NOW_IN}\n".encode() in data
    data = data.replace(f"c{NOW_IN}\n".encode(), f"c{OLD_IN}\n".encode())
    path = folder / "m.pkl"
    path.write_bytes(data.replace(sklearn.__version__.encode(), OLD.encode()))
    return path


def archived(model: Any, folder: Path) -> Path:
    """As the old version's skops file has it."""
    path = folder / "m.skops"
    skops.io.dump(model, path)
    buffer = io.BytesIO()
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(buffer, "w") as target:
        for name in source.namelist():
            text = source.read(name)
            if name == "schema.json":
                assert NOW_IN.encode() in text
                text = text.replace(NOW_IN.encode(), OLD_IN.encode())
                text = text.replace(sklearn.__version__.encode(), OLD.encode())
            target.writestr(name, text)
    path.write_bytes(buffer.getvalue())
    return path


@pytest.mark.parametrize("save", [pickled, archived])
def test_another_scikit_learn_is_named_and_none_of_its_parts_is_to_be_installed_or_trusted(
    tmp_path: Path, digits: tuple[NDArray[Any], NDArray[Any]], save: Callable[[Any, Path], Path]
) -> None:
    assert len(sklearn.__version__) == len(OLD), "lengths are in the files"
    path = save(HistGradientBoostingClassifier(max_iter=2, max_leaf_nodes=4).fit(*digits), tmp_path)
    with pytest.raises(ModelLoadError, match=f"saved with scikit-learn {OLD}.*{sklearn.__version__}") as caught:
        load_model(path, trust=True, compile="never")
    assert str(caught.value).endswith(f": pip install 'scikit-learn=={OLD}'")
    for advice in ("_loss", "--trust-type", "install it", "pip install _", "skl2onnx"):
        assert advice not in str(caught.value)


def test_an_export_is_offered_for_what_can_be_converted(
    tmp_path: Path, digits: tuple[NDArray[Any], NDArray[Any]]
) -> None:
    path = pickled(GradientBoostingClassifier(n_estimators=1, max_depth=1).fit(*digits), tmp_path)
    with pytest.raises(ModelLoadError, match=rf"or export it to ONNX by skl2onnx .*'scikit-learn=={OLD}'$"):
        load_model(path, trust=True, compile="never")


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("xgboost.sklearn", "needs the package 'xgboost', which is not installed here; run: pip install xgboost"),
        ("imblearn.pipeline", "run: pip install imbalanced-learn"),
        ("sklearn.gone", f"not those of {sklearn.__version__}, which is installed here"),
        ("_gone", "was saved with another scikit-learn"),
        ("my_steps.scaling", "if it is yours, put my_steps.py beside 'm.pkl'"),
    ],
)
def test_a_missing_module_is_said_to_be_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, words: str
) -> None:
    top = module.partition(".")[0]
    if top != "sklearn":
        monkeypatch.setitem(sys.modules, top, None)  # also where it is installed
    path = tmp_path / "m.pkl"
    path.write_bytes(f"c{module}\nThing\n.".encode())
    with pytest.raises(ModelLoadError) as caught:
        load_model(path, trust=True)
    assert words in str(caught.value)


def test_what_was_trained_with_named_columns_says_nothing_about_them(
    tmp_path: Path, digits: tuple[NDArray[Any], NDArray[Any]], square: NDArray[Any]
) -> None:
    model = HistGradientBoostingClassifier(max_iter=2, max_leaf_nodes=4).fit(*digits)
    model.feature_names_in_ = [f"pixel{number}" for number in range(64)]
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps(model))
    # Tests make an error of every warning.
    assert load_model(path, trust=True, compile="never").labels == tuple("0123456789")
