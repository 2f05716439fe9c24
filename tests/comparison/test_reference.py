"""The framework's own pipeline beside a model whose code is vouched for by its hash: each imports what it may."""

from pathlib import Path

import onnx
import pytest

from cvserve.predictor.models.code.trust import record
from cvserve.predictor.models.files.file import read_model_file
from frameworks.photos import photo_files
from support.command import Said, cvserve
from support.onnx_models import linear

TRAIN = """from pathlib import Path

import numpy as np


def val_transform(image):
    if Path("late").exists():
        __import__("ne" + "t")
    return np.asarray(image.resize((4, 3)), dtype=np.float32).transpose(2, 0, 1) / 255
"""
NET = "import onnx.reference\n\nrun = onnx.reference.ReferenceEvaluator('model.onnx').run\n"
REFERENCE = """import net
import train


def predict(image):
    labels = __import__("label" + "s_of_mine")
    return labels.sort(net.run(None, {"pixels": train.val_transform(image)[None]})[0])
"""
UNRELATED = """open("late", "w").close()


def predict(image):
    return [0.2, 0.3, 0.5]
"""


@pytest.fixture
def folder(home: Path) -> Path:
    """A model with a transform in `train.py` that is trusted, and code of the reference's own beside both."""
    onnx.save(linear([1, 3, 3, 4]), home / "model.onnx")
    (home / "model.toml").write_text('[input]\ntransform = "train.py:val_transform"\n')
    (home / "train.py").write_text(TRAIN)
    (home / "net.py").write_text(NET)
    (home / "labels_of_mine.py").write_text("def sort(scores):\n    return scores\n")
    (home / "photos").mkdir()
    for name, data in list(photo_files().items())[:2]:
        (home / "photos" / name).write_bytes(data)
    file = read_model_file(home / "train.py")
    record(file.code_sha256, file.path, file.size)
    return home


def compare(folder: Path, reference: str) -> Said:
    (folder / "ref.py").write_text(reference)
    return cvserve("model", "compare", "model.onnx", "photos", "--reference", "ref.py:predict")


def test_it_imports_what_is_beside_it_at_once_and_when_it_is_called(folder: Path) -> None:
    said = compare(folder, REFERENCE)
    assert said.code == 0, said.out + said.err
    assert said.out.splitlines()[-1].startswith("same: 2 pictures")


def test_the_transform_imports_nothing_more_while_there_is_a_reference(folder: Path) -> None:
    said = compare(folder, UNRELATED)
    assert said.code != 0
    assert "net is beside the model and not in its hash" in said.err, said
