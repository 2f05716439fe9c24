"""The door: what `from cvserve import …` gives, and that importing it does nothing."""

import contextlib
from pathlib import Path

import pytest

import cvserve
from cvserve import errors
from support.command import loaded_modules


def test_all_is_sorted_and_true() -> None:
    assert cvserve.__all__ == sorted(cvserve.__all__)
    assert dir(cvserve) == cvserve.__all__
    for name in cvserve.__all__:
        assert getattr(cvserve, name) is not None
    assert len(cvserve.__all__) <= 22


def test_errors_that_the_library_raises_can_be_caught_by_the_names_of_the_package() -> None:
    with pytest.raises(cvserve.InvalidImage) as damaged:
        cvserve.Predictor.load().predict(b"\xff\xd8\xff damaged")
    assert isinstance(damaged.value, cvserve.ImageError)
    assert damaged.value.code == "invalid_image"
    with pytest.raises(cvserve.ModelLoadError):
        cvserve.Predictor.load("missing.onnx")
    with pytest.raises(cvserve.NotFound), contextlib.closing(cvserve.History.open()) as history:
        history[1]
    Path("file").write_bytes(b"neither a folder nor a database")
    Path("file").chmod(0o600)
    with pytest.raises(cvserve.HistoryError):
        cvserve.History.open("file")
    with pytest.raises(cvserve.CannotStart):
        cvserve.History.open("file/cvserve.db")
    with pytest.raises(cvserve.InvalidSetting):
        cvserve.Settings(no_auth=True, token="x" * 20)


def test_exported_errors_are_those_of_the_tree() -> None:
    exported = {name for name in cvserve.__all__ if hasattr(errors, name)}
    assert len(exported) == 13
    for name in exported:
        assert getattr(cvserve, name) is getattr(errors, name)
        assert issubclass(getattr(errors, name), cvserve.CvserveError)


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(cvserve, "Nothing")


def test_import_does_nothing_and_loads_nothing() -> None:
    before = loaded_modules("pass")
    new = loaded_modules("import cvserve") - before
    assert {name for name in new if name.startswith("cvserve")} == {"cvserve"}
    assert len(new) < 10, sorted(new)


def test_the_library_half_loads_no_web_framework() -> None:
    loaded = {name.partition(".")[0] for name in loaded_modules("from cvserve import History, Predictor")}
    assert not loaded & {"starlette", "uvicorn", "locust", "typer", "sklearn", "asyncio", "loguru", "rich"}


def test_the_front_of_a_server_with_worker_processes_loads_no_numbers_and_no_decoder() -> None:
    loaded = {
        name.partition(".")[0] for name in loaded_modules("import cvserve.engine.choose_pool, cvserve.server.run")
    }
    assert not loaded & {
        "numpy",
        "PIL",
        "simplejpeg",
        "sklearn",
        "skops",
        "joblib",
        "prometheus_client",
        "sqlite_utils",
    }
