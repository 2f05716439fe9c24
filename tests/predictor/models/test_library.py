"""Whoever lacks a library hears what to install, whichever of those that a model needs it is."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

# A library in `sys.modules` as None is still found by whoever looks for its file.
WITHOUT = """
import sys
from importlib.machinery import PathFinder

class Without:
    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] == {library!r} else PathFinder.find_spec(name, path, target)

sys.meta_path = [Without() if finder is PathFinder else finder for finder in sys.meta_path]
from cvserve.cli import main
main()
"""
NO_WEIGHTS = struct.pack("<Q", 2) + b"{}"


def said_without(library: str, *arguments: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(library=library), "model", "inspect", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "COLUMNS": "300"},
    )
    assert ended.returncode == 5, ended.stderr
    return ended.stderr.strip()


@pytest.fixture
def weights(tmp_path: Path) -> str:
    (tmp_path / "best.safetensors").write_bytes(NO_WEIGHTS)
    return str(tmp_path / "best.safetensors")


def folder(tmp_path: Path, config: str) -> str:
    (tmp_path / "animals").mkdir()
    (tmp_path / "animals" / "config.json").write_text(config)
    (tmp_path / "animals" / "model.safetensors").write_bytes(NO_WEIGHTS)
    return str(tmp_path / "animals")


@pytest.mark.parametrize(
    ("library", "model", "said"),
    [
        ("timm", "timm:resnet18", "timm; run: pip install 'cvserve[timm]'"),
        ("timm", "timm:create_model", "timm; run: pip install 'cvserve[timm]'"),
        ("torchvision", "torchvision.models:resnet18", "torchvision; run: pip install 'cvserve[torch]' torchvision"),
    ],
)
def test_a_library_that_a_model_is_named_by(library: str, model: str, said: str, weights: str) -> None:
    assert said_without(library, model, "--weights", weights) == f"cvserve: '{model}' needs {said}"


def test_a_library_that_timm_needs(weights: str) -> None:
    pytest.importorskip("timm")
    said = said_without("torch", "timm:resnet18", "--weights", weights)
    assert said == "cvserve: 'timm:resnet18' needs PyTorch; run: pip install 'cvserve[timm]'"


@pytest.mark.parametrize("library", ["timm", "torchvision"])
def test_a_library_that_a_folder_of_timm_needs(library: str, tmp_path: Path) -> None:
    pytest.importorskip("timm")
    said = said_without(library, folder(tmp_path, '{"architecture": "resnet18"}'))
    assert said == f"cvserve: 'animals' needs {library}; run: pip install 'cvserve[timm]'"


def test_a_library_that_a_folder_of_hugging_face_needs(tmp_path: Path) -> None:
    said = said_without("torch", folder(tmp_path, '{"architectures": ["ViTForImageClassification"]}'))
    assert said == "cvserve: 'animals' needs PyTorch; run: pip install 'cvserve[hf]'"
