"""The same model and picture give the same answer: by the library alone and in any batch, by the command line, and by
servers with worker processes and with threads."""

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cvserve import Prediction, Predictor
from support.command import cvserve
from support.every_format import FORMATS, TORCH_FORMATS, Model, needs, pictures
from support.process import ServerProcess

# Answers have six decimals: two that differ by nothing may still be rounded to neighbours.
SAME, COMPILED = 1.01e-6, 1.01e-5
CLASSES = 100
TOKEN = "cvs_one_answer_through_every_door_0"
every_format = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=needs.get(name, ())) for name in (*FORMATS, *TORCH_FORMATS)]
)
Scores = dict[int, float]


@pytest.fixture
def model(name: str, home: Path) -> Model:
    (home / "model").mkdir()
    return {**FORMATS, **TORCH_FORMATS}[name](home / "model")


@pytest.fixture
def predictor(model: Model) -> Predictor:
    return Predictor.load(**model.load)


@pytest.fixture
def alone(predictor: Predictor) -> dict[str, Prediction]:
    """Each picture asked about by itself."""
    return {name: predictor.predict(data, top_k=CLASSES) for name, data in pictures().items()}


def assert_same(found: Mapping[str, Any], expected: Prediction, tolerance: float = SAME) -> None:
    """The class, its label and all scores."""
    assert (found["result"], found["label"]) == (expected.result, expected.label)
    scores = {entry["index"]: entry["score"] for entry in found["top"]}
    for entry in expected.top:
        assert abs(scores.pop(entry.index) - entry.score) <= tolerance
    assert not scores


@every_format
def test_in_any_batch_as_alone(predictor: Predictor, alone: dict[str, Prediction]) -> None:
    @settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(st.sampled_from(sorted(alone)), min_size=1, max_size=20))
    def batch(names: list[str]) -> None:
        answers = predictor.predict_batch([pictures()[name] for name in names], top_k=CLASSES)
        for name, answer in zip(names, answers, strict=True):
            assert_same(answer.to_dict(), alone[name])

    batch()


@every_format
@pytest.mark.slow
def test_through_every_door(
    model: Model, alone: dict[str, Prediction], home: Path, server_process: Callable[..., ServerProcess]
) -> None:
    for name, data in pictures().items():
        (home / name).write_bytes(data)
    said = cvserve("predict", "--json", "--no-history", "--top-k", str(CLASSES), *model.options, *pictures())
    assert said.code == 0, said.err
    for entry in json.loads(said.out):
        assert_same(entry, alone[entry["file"]])
    for workers in ("1", "0"):
        server = server_process("--workers", workers, *model.options, CVSERVE_TOKEN=TOKEN)
        with server.client() as client, ThreadPoolExecutor(6) as pool:
            names = [*pictures()] * 3
            answers = pool.map(lambda name: client.post(f"/predict?top_k={CLASSES}", content=pictures()[name]), names)
            for name, answer in zip(names, answers, strict=True):
                assert_same(answer.json(), alone[name])
            files = [("file", (name, data)) for name, data in pictures().items()]
            batch = client.post(f"/predict/batch?top_k={CLASSES}", files=files).json()
            for name, entry in zip(pictures(), batch, strict=True):
                assert_same(entry, alone[name])
        server.stop()


@pytest.mark.parametrize("name", ["skops", "joblib"])
def test_compiled_and_not(name: str, alone: dict[str, Prediction], home: Path) -> None:
    (home / "compiled").mkdir()
    compiled = Predictor.load(**FORMATS[f"{name}, compiled"](home / "compiled").load)
    for picture, data in pictures().items():
        assert_same(compiled.predict(data, top_k=CLASSES).to_dict(), alone[picture], COMPILED)


@pytest.mark.parametrize("name", [pytest.param("state dict", marks=needs["state dict"])])
@pytest.mark.parametrize("other", [name for name in TORCH_FORMATS if name != "state dict"])
def test_one_network_in_all_files_of_pytorch_and_exported_to_onnx(
    alone: dict[str, Prediction], other: str, home: Path
) -> None:
    (home / "other").mkdir()
    same = Predictor.load(**TORCH_FORMATS[other](home / "other").load)
    for picture, data in pictures().items():
        assert_same(same.predict(data, top_k=CLASSES).to_dict(), alone[picture], COMPILED)
