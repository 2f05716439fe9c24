"""A backend is tried when it is loaded: each fault has one sentence, whatever the format."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cvserve.errors import ModelError, ModelLoadError
from cvserve.predictor.backends.probe.model import make_model
from cvserve.predictor.contract import LoadedModel
from cvserve.predictor.models.config.read import ModelConfig
from cvserve.predictor.models.files.file import ModelFile
from cvserve.predictor.models.formats.kinds import UNKNOWN
from cvserve.predictor.models.resolve import ModelFacts

FILE = ModelFile(Path("m.xyz"), b"", "0" * 64, UNKNOWN, owner=0, mode=0o644)


class Saying:
    """Gives or raises the same for every batch."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def infer(self, batch: NDArray[Any]) -> Any:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


def make(answer: Any, kind: str | None = None, said: dict[str, Any] | None = None, **facts: Any) -> LoadedModel:
    said = {"input.size": (4, 4), **(said or {})}
    config = ModelConfig(Path("m.toml"), said, dict.fromkeys(said, "model.toml"))
    return make_model(ModelFacts("x", lambda batch, wanted: (Saying(answer), wanted or kind), **facts), config, FILE)


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (lambda: make([[0.5]]), "'m.xyz' cannot be served: It gives one number for a picture"),
        (lambda: make([[7.0]], "probabilities"), "'m.xyz' cannot be served: It gives a number outside of 0 to 1"),
        (lambda: make([0.5]), "'m.xyz' cannot be served: The model answered shape [1] for 1 pictures"),
        (lambda: make("text"), "'m.xyz' cannot be served: The model answered something that is not an array"),
        (lambda: make(ModelError("It gives a dict.")), "'m.xyz' cannot be served: It gives a dict."),
        (
            lambda: make([[np.nan, 1]]),
            "score that is not a finite number; check [input] in m.toml, and the model",
        ),
        (lambda: make(MemoryError("/etc")), "'m.xyz' fails on a grey picture as [input] in m.toml prepares it"),
        (lambda: make(SystemExit(3)), "float32 [1, 3, 4, 4]: SystemExit"),
        (lambda: make(ModelLoadError("A whole sentence.")), "A whole sentence."),
        (lambda: make(ValueError(), title="Net in n.py"), "Net in n.py fails on a grey picture"),
        (
            lambda: make(ValueError("inner"), describe_failure=lambda error, batch: f"says {error} of {len(batch)}"),
            "'m.xyz' says inner of 1",
        ),
        (
            lambda: make([[1, 2, 3]], said={"labels": ("a", "b")}),
            "m.toml has 2 labels, but 'm.xyz' knows 3 classes; write one label for each class",
        ),
        (
            lambda: make([[1, 2, 3]], labels=("a", "b")),
            "'m.xyz' has 2 labels and gives 3 scores; give it one label for each",
        ),
        (lambda: make([[0.3]], "logits", labels=("a", "b", "c")), "'m.xyz' has 3 labels and gives 2 scores"),
    ],
)
def test_each_fault_has_a_sentence(model: Callable[[], LoadedModel], sentence: str) -> None:
    with pytest.raises(ModelLoadError) as caught:
        model()
    assert sentence in str(caught.value)
    assert "/etc" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "labels", "kind"),
    [
        (lambda: make([[1, 2, 3]]), None, "logits"),
        (lambda: make([[0.3]], "logits", labels=("a", "b")), ("a", "b"), "logits"),
        (lambda: make([[0.2, 0.8]], said={"output.scores": "logits", "labels": ("a", "b")}), ("a", "b"), "logits"),
        (lambda: make([[1.0]], "probabilities", labels=("only",)), ("only",), "probabilities"),
    ],
)
def test_what_fits_is_served(
    model: Callable[[], LoadedModel], labels: tuple[str, ...] | None, kind: str | None
) -> None:
    made = model()
    assert (made.labels, made.scores) == (labels, kind)
    assert ("labels" in made.origins, "output.scores" in made.origins) == (labels is not None, kind is not None)
