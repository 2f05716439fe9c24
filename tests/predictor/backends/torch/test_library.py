"""PyTorch models where PyTorch is not installed: what to install, and what is wrong with the file all the same."""

import pickle
import subprocess
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest

from cvserve.errors import ModelLoadError
from support.models import load_model

WITHOUT_TORCH = (
    "import sys; sys.modules['torch'] = None\n"
    "from cvserve.errors import ModelLoadError; from cvserve.predictor.predictor import Predictor\n"
    "try: Predictor.load({path!r}, trust=True)\n"
    "except ModelLoadError as error: print(error)\n"
)


def archive(path: Path, **members: bytes | str) -> Path:
    """A zip as PyTorch writes it."""
    with zipfile.ZipFile(path, "w") as whole:
        for name, data in members.items():
            whole.writestr(f"model/{name.replace('__', '/').replace('_pkl', '.pkl')}", data)
    return path


def said_without_torch(path: Path | str) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH.format(path=str(path))], capture_output=True, text=True, check=True
    )
    assert ended.stderr == ""
    return ended.stdout.strip()


def test_what_to_install(tmp_path: Path) -> None:
    script = archive(tmp_path / "model.pt", data_pkl=b"\x80\x02N.", code__model="def forward")
    assert said_without_torch(script) == "'model.pt' needs PyTorch; run: pip install 'cvserve[torch]'"
    export = archive(tmp_path / "model.pt2", archive_format=b"pt2")
    assert said_without_torch(export) == "'model.pt2' needs PyTorch; run: pip install 'cvserve[torch]'"


def test_what_to_install_for_a_class(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text("import torch\n")
    assert said_without_torch(f"{path}:Net") == (
        "'model.py' failed in its import: model.py, line 1: ModuleNotFoundError: import of torch halted; None in "
        "sys.modules; run: pip install 'cvserve[torch]'"
    )


def test_weights_without_their_class_need_no_pytorch_to_be_known(tmp_path: Path) -> None:
    path = archive(tmp_path / "best.pth", data_pkl=pickle.dumps(OrderedDict(a=1), protocol=2))
    for said in (said_without_torch(path), _refused(path)):
        assert "where it is one of theirs: cvserve serve --model model.py:ClassName --weights" in said


def test_a_whole_model_is_told_by_what_it_would_import(tmp_path: Path) -> None:
    path = archive(tmp_path / "best.pth", data_pkl=b"\x80\x02cmodel\nNet\n.")
    assert "is a whole pickled PyTorch model (model.Net), which is code and not weights" in _refused(path)


def _refused(path: Path) -> str:
    with pytest.raises(ModelLoadError) as caught:
        load_model(path, trust=True)
    return str(caught.value)
