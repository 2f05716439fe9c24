"""A module with several outputs is asked which one its scores are, unless only one can be."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cvserve import Predictor
from cvserve.errors import ModelLoadError
from support.torch_models import MODEL_PY, SIDE_PX, SIZE, exported, needs_torch, probabilities, trained, written

pytestmark = needs_torch
PICTURE = np.random.default_rng(3).integers(0, 256, (SIDE_PX, SIDE_PX, 3), dtype=np.uint8)
RETURNED = {
    "tuple": "(x, y)",
    "dictionary": "{'features': x, 'head': y}",
    "named tuple": "Both(x, y)",
}


@pytest.fixture(autouse=True)
def fresh_modules() -> Iterator[None]:
    yield
    sys.modules.pop("model", None)


def load(folder: Path, form: str, toml: str) -> Predictor:
    """A module that gives features [N, 4] and scores [N, 3]."""
    import torch

    text = "from collections import namedtuple\n" + MODEL_PY.replace(
        "class BaseModel", "Both = namedtuple('Both', 'features head')\n\n\nclass BaseModel"
    )
    text = text.replace("return self.head(self.dropout(self.features(x).mean(dim=(2, 3))))", "x = self.pool(x)")
    text += f"        y = self.head(x)\n        return {RETURNED[form]}\n\n"
    text += "    def pool(self, x):\n        return self.dropout(self.features(x).mean(dim=(2, 3)))\n"
    path = written(folder, text, toml)
    torch.save(trained().state_dict(), folder / "best.pth")
    return Predictor.load(f"{path}:BaseModel", weights=folder / "best.pth")


def expected() -> Any:
    batch = ((PICTURE / 255 - [0.5, 0.4, 0.3]) / 0.25).transpose(2, 0, 1)[None].astype(np.float32)
    return probabilities(trained(), np.ascontiguousarray(batch))[0]


@pytest.mark.parametrize(
    ("form", "outputs", "example"),
    [
        ("tuple", "0 [N, 4], 1 [N, 3]", "1"),
        ("dictionary", "'features' [N, 4], 'head' [N, 3]", '"head"'),
        ("named tuple", "'features' [N, 4], 'head' [N, 3]", '"head"'),
    ],
)
def test_it_is_asked_and_what_is_said_is_taken(tmp_path: Path, form: str, outputs: str, example: str) -> None:
    with pytest.raises(ModelLoadError) as caught:
        load(tmp_path, form, SIZE)
    assert str(caught.value) == (
        f"BaseModel in model.py gives {outputs}, and it cannot be seen which of them are the scores; write into "
        f"model.toml which one, such as [output] use = {example}"
    )
    sys.modules.pop("model", None)
    predictor = load(tmp_path, form, f"{SIZE}[output]\nuse = {example}\n")
    assert predictor.predict(PICTURE).score == pytest.approx(expected().max(), abs=1e-5)


@pytest.mark.parametrize("form", RETURNED)
def test_labels_may_say_it(tmp_path: Path, form: str) -> None:
    predictor = load(tmp_path, form, 'labels = ["a", "b", "c"]\n' + SIZE)
    answer = predictor.predict(PICTURE)
    assert answer.result == expected().argmax()
    assert answer.score == pytest.approx(expected().max(), abs=1e-5)


@pytest.mark.parametrize(
    ("form", "use", "words"),
    [
        (
            "dictionary",
            '"logits"',
            "has no output 'logits', which [output] use in model.toml names; it gives",
        ),
        ("tuple", "2", "has no output 2, which [output] use in model.toml names; it gives 0 [N, 4], 1 [N, 3]."),
    ],
)
def test_an_output_that_there_is_not(tmp_path: Path, form: str, use: str, words: str) -> None:
    with pytest.raises(ModelLoadError, match="has no output") as caught:
        load(tmp_path, form, f"{SIZE}[output]\nuse = {use}\n")
    assert words in str(caught.value)


def test_a_program_of_export_has_several_outputs_as_well(tmp_path: Path) -> None:
    import torch

    class Both(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.net = trained()

        def forward(self, x: Any) -> Any:
            return {"twice": 2 * self.net(x), "once": self.net(x)}

    path = exported(Both().eval(), tmp_path / "model.pt2")
    with pytest.raises(ModelLoadError, match=r"gives 'twice' \[N, 3\], 'once' \[N, 3\]"):
        Predictor.load(path, trust=True)
    path.with_suffix(".toml").write_text(f'{SIZE}[output]\nuse = "once"\n'.replace('resize = "exact"\n', ""))
    answer = Predictor.load(path, trust=True).predict(PICTURE)
    assert answer.score == pytest.approx(expected().max(), abs=1e-5)
