"""`Predictor`: the three steps, one picture or many, and what goes wrong stays with the one it belongs to."""

import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cvserve import Predictor
from cvserve.errors import CvserveError, InvalidImage, InvalidParameter, ModelError, ModelLoadError, PredictTimeout
from cvserve.predictor.contract import Inferred
from support.drawings import drawn_four
from support.fakes import BrightnessPredictor, FailingPredictor, ScriptedPredictor
from support.pictures import grey


@pytest.fixture(scope="module")
def builtin() -> Predictor:
    return Predictor.load()


def test_the_built_in_model_answers_every_kind_of_source_alike(builtin: Predictor, tmp_path: Path) -> None:
    data = drawn_four("PNG")
    path = tmp_path / "four.png"
    path.write_bytes(data)
    with Image.open(path) as image:
        image.load()
        array = np.asarray(image)
        answers = [builtin.predict(source) for source in (path, str(path), data, image, array)]
    assert {answer.label for answer in answers} == {"4"}
    assert len({answer.top for answer in answers}) == 1
    first = answers[0]
    assert (first.result, first.score) == (first.top[0].index, first.top[0].score)
    assert 0 < first.score <= 1
    assert [entry.score for entry in first.top] == sorted((entry.score for entry in first.top), reverse=True)


def test_a_batch_is_answered_as_one_by_one(builtin: Predictor) -> None:
    rng = np.random.default_rng(3)
    pictures: list[Any] = [drawn_four(), drawn_four("PNG")]
    pictures += [rng.integers(0, 255, (40 + at, 50, 3), dtype=np.uint8) for at in range(70)]
    together = builtin.predict_batch(pictures)
    for picture, answer in zip(pictures, together, strict=True):
        alone = builtin.predict(picture)
        assert alone.result == answer.result
        assert [entry.score for entry in alone.top] == pytest.approx([entry.score for entry in answer.top], abs=1e-5)
        assert (alone.warning, alone.image) == (answer.warning, answer.image)
    assert builtin.predict_batch([]) == []
    assert builtin.predict_batch(iter([drawn_four()]))[0].label == "4"


@pytest.mark.parametrize(("top_k", "length"), [(1, 1), (3, 3), (10, 10), (99, 10)])
def test_top_k_gives_as_many_as_there_are(builtin: Predictor, top_k: int, length: int) -> None:
    assert len(builtin.predict(drawn_four(), top_k=top_k).top) == length


@pytest.mark.parametrize("top_k", [0, -1, 2.5, "3", None])
def test_top_k_is_a_number_from_one(builtin: Predictor, top_k: float | str | None) -> None:
    with pytest.raises(InvalidParameter, match="top_k"):
        builtin.predict(drawn_four(), top_k=top_k)  # type: ignore[arg-type]


def test_threads_may_share_one_predictor(builtin: Predictor) -> None:
    expected = builtin.predict(drawn_four()).top
    seen: list[Any] = []
    begin = threading.Barrier(8)

    def ask() -> None:
        begin.wait(timeout=30)
        seen.extend(builtin.predict(drawn_four()).top for _ in range(5))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert seen == [expected] * 40


def test_setup_runs_once_however_many_begin() -> None:
    class Slow(BrightnessPredictor):
        calls = 0

        def setup(self) -> None:
            type(self).calls += 1

    model = Slow()
    begin = threading.Barrier(4)
    threads = [threading.Thread(target=lambda: (begin.wait(timeout=30), model.predict(grey(10)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert Slow.calls == 1


def test_a_bad_picture_fails_alone_and_predict_batch_raises_it() -> None:
    model = BrightnessPredictor()
    outcomes = model.predict_each([grey(10), b"no picture", grey(250)])
    assert [getattr(outcome, "label", type(outcome)) for outcome in outcomes] == ["black", InvalidImage, "white"]
    with pytest.raises(InvalidImage):
        model.predict_batch([grey(10), b"no picture"])


def test_a_picture_that_upsets_the_model_fails_alone() -> None:
    outcomes = FailingPredictor().predict_each([grey(10), grey(250), grey(100)])
    assert [getattr(outcome, "label", type(outcome)) for outcome in outcomes] == ["black", ModelError, "dark"]
    assert "secret" not in str(outcomes[1])
    assert "infer" in str(outcomes[1])


@pytest.mark.parametrize("step", ["preprocess", "infer"])
def test_a_model_that_ends_the_program_only_fails(step: str) -> None:
    class Quitter(BrightnessPredictor):
        pass

    setattr(Quitter, step, lambda self, value: sys.exit(3))
    (outcome,) = Quitter().predict_each([grey(10)])
    assert isinstance(outcome, ModelError)


OURS = [CvserveError, ModelLoadError, InvalidParameter, PredictTimeout, ModelError, ValueError]


@pytest.mark.parametrize("raised", [*OURS, InvalidImage])
@pytest.mark.parametrize("step", ["preprocess", "infer", "want"])
def test_whatever_the_code_of_a_model_raises_is_the_error_of_the_model(step: str, raised: type[Exception]) -> None:
    class Raising(BrightnessPredictor):
        pass

    def fail(*_: Any) -> Any:
        raise raised("secret text of /etc/passwd")

    setattr(Raising, step, fail)
    for outcome in Raising().predict_each([grey(10), grey(250)]):
        if (step, raised) == ("preprocess", InvalidImage):
            assert type(outcome) is InvalidImage  # what a preprocess may say about its picture
            continue
        assert type(outcome) is ModelError
        assert type(outcome.__cause__) is raised
        assert f"in its step '{step}'" in str(outcome)


def test_a_picture_that_upsets_a_batch_with_an_error_of_ours_fails_alone() -> None:
    class Fussy(BrightnessPredictor):
        def infer(self, batch: Any) -> Any:
            if (batch > 192).any():
                raise InvalidImage("too light")
            return super().infer(batch)

    outcomes = Fussy().predict_each([grey(10), grey(250), grey(100)])
    assert [getattr(outcome, "label", type(outcome)) for outcome in outcomes] == ["black", ModelError, "dark"]


def test_labels_that_are_no_texts_are_an_error_of_the_model() -> None:
    model = BrightnessPredictor()
    model.labels = (1, 2, 3, 4)  # type: ignore[assignment]
    assert [type(outcome) for outcome in model.predict_each([grey(10), grey(250)])] == [ModelError, ModelError]


@pytest.mark.parametrize(
    "scores", [np.zeros((9, 4)), [[np.nan] * 4], "x", Inferred(np.full((1, 4), 0.25), [None, None]), None]
)
def test_an_answer_of_another_shape_is_an_error_of_the_model(scores: object) -> None:
    with pytest.raises(ModelError):
        ScriptedPredictor(scores).predict(grey(10))


def test_labels_default_to_numbers_and_logits_are_seen() -> None:
    answer = ScriptedPredictor([[2.0, 5.0, 3.0]])
    answer.scores = None
    said = answer.predict(grey(10))
    assert (said.label, said.result) == ("1", 1)
    assert sum(entry.score for entry in said.top) == pytest.approx(1, abs=1e-5)


def test_it_remembers_no_picture_when_told_so() -> None:
    model = BrightnessPredictor()
    picture = grey(10)
    assert model.predict(picture).source is picture
    assert model.predict_each([picture], keep_source=False)[0].source is None  # type: ignore[union-attr]


def test_reprs_tell_what_it_is(builtin: Predictor) -> None:
    assert repr(builtin).startswith("<LoadedPredictor digits ")
    assert "label='4'" in repr(builtin.predict(drawn_four()))


def test_a_class_without_infer_says_so() -> None:
    with pytest.raises(ModelError, match="infer"):
        Predictor().predict(grey(10))


def test_its_public_names_are_these_so_that_others_are_free_for_users() -> None:
    attributes = {
        "device",
        "guessed",
        "half",
        "info",
        "labels",
        "limits",
        "model_format",
        "name",
        "scores",
        "unknown_below",
        "weights",
    }
    attributes |= {"device", "half"}
    steps = {"infer", "prepares_itself", "preprocess", "setup", "want", "warm_up_size"}
    uses = {"ensure_set_up", "load", "predict", "predict_batch", "predict_each", "warm_up"}
    assert {name for name in dir(Predictor()) if not name.startswith("_")} == attributes | steps | uses
