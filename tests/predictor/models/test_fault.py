"""The name of a model stands before each of its faults, and once."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from cvserve.errors import InvalidSetting, ModelLoadError
from cvserve.predictor.models.fault import ModelFault, about


def test_a_fault_gets_the_name_of_the_nearest_subject_only() -> None:
    with (
        pytest.raises(ModelLoadError) as caught,
        about("Net in model.py"),
        about(SimpleNamespace(path=Path("folder/best.pth"))),
    ):
        raise ModelFault("is damaged; save it again.")
    assert str(caught.value) == "'best.pth' is damaged; save it again."
    assert type(caught.value) is ModelLoadError


@pytest.mark.parametrize("error", [ModelLoadError("The plugin 'x' refuses it."), InvalidSetting("x"), ValueError("x")])
def test_whole_sentences_and_other_errors_pass(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, about("Net in model.py"):
        raise error
    assert caught.value is error


def test_the_cause_stays_the_cause() -> None:
    cause = ValueError("inner")
    with pytest.raises(ModelLoadError) as caught, about("'m.onnx'"):
        raise ModelFault("is damaged.") from cause
    assert caught.value.__cause__ is cause
